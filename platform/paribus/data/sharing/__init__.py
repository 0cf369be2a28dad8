"""One reader a node decodes each batch once, and hands it to every trial of the node that trains on the same stream."""

from paribus.data.sharing.cohorts import Limits
from paribus.data.sharing.consumer import Consumer, Parting
from paribus.data.sharing.patience import Patience
from paribus.data.sharing.protocol import Handed, Source, Stream
from paribus.data.sharing.reader import Reader, SharingError

__all__ = ["Consumer", "Handed", "Limits", "Parting", "Patience", "Reader", "SharingError", "Source", "Stream"]
