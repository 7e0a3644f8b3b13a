"""How PyTorch uses this machine."""

import ctypes

import torch

TRIM_THRESHOLD, MAPPED_MOST = -1, -4
"""of glibc's mallopt: free memory at the heap's end that it keeps, bytes; and how many blocks are mapped apart"""
KEPT = 2**30


def prepare(threads: int) -> None:
    """Lets PyTorch have so many threads, and memory that it frees be used again. glibc gives large blocks back to the system, and
    the next step has them zeroed page by page: a training step of the embedders took 1.7 to 1.9 times as long. Other C
    libraries are left as they are."""
    torch.set_num_threads(threads)
    options = getattr(ctypes.CDLL(None), "mallopt", None)
    if options is not None:
        options(MAPPED_MOST, 0)
        options(TRIM_THRESHOLD, KEPT)
