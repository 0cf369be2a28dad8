"""One reader a node decodes each batch once, and hands it to every trial of the node that trains on the same stream."""

from paribus.data.sharing.client import Client, Parting
from paribus.data.sharing.cohorts import Limits
from paribus.data.sharing.protocol import Handed, Source, Stream
from paribus.data.sharing.server import Server, SharingError
from paribus.data.sharing.wait_policy import WaitPolicy

__all__ = ["Client", "Handed", "Limits", "Parting", "Server", "SharingError", "Source", "Stream", "WaitPolicy"]
