"""`code`: a digest of the sources that one recipe runs through, whatever their files are called."""

from paribus.recipe.code.beside import files_beside
from paribus.recipe.code.digest import code_of, feed_code_of
from paribus.recipe.code.names import CodeError, Own

__all__ = ["CodeError", "Own", "code_of", "feed_code_of", "files_beside"]
