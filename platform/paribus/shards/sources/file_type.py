"""What kind of image a file is: its first bytes tell, its name may lie."""

from pathlib import PurePosixPath

# As people call images that `decode` reads; a file's first bytes then say what it is.
IMAGE_SUFFIXES = frozenset(
    {"jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "avif", "bmp", "dib", "gif", "tif", "tiff"}
    | {"jp2", "j2k", "jpx", "ppm", "pgm", "pbm", "pnm"}
)
_SIGNATURES = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tif"),
    (b"MM\0*", "tif"),
    (b"P5", "pgm"),
    (b"P6", "ppm"),
)


def suffix_of(data: bytes, name: str) -> str:
    """The suffix, without the dot, by the first bytes of `data`; of what no image begins with, that of `name`."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for start, suffix in _SIGNATURES:
        if data.startswith(start):
            return suffix
    # A file that is no image keeps its name, so that whoever looks for it finds it.
    return PurePosixPath(name).suffix[1:].lower() or "bin"
