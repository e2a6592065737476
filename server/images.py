"""Screenshots out of requests: data URL -> Frame, refusing what is not a real, sane picture."""

from __future__ import annotations

import binascii
import io
import re
import time
from base64 import b64decode
from hashlib import sha256

from PIL import Image, UnidentifiedImageError

from server.errors import ApiError
from server.frames import FrameCache
from server.settings import ImageLimits
from vision.frame import Frame

FORMATS = ("PNG", "JPEG", "WEBP")
HEAD = re.compile(r"data:image/(?:png|jpe?g|webp);base64,", re.IGNORECASE)


class ImageReader:
    """Decodes the pictures of one request and keeps count of them.

    Decoding is slow for large pictures: call it on a worker thread.
    """

    def __init__(self, limits: ImageLimits, cache: FrameCache) -> None:
        self._limits = limits
        self._cache = cache
        self._count = 0
        self._pixels = 0

    def read(self, url: str, param: str) -> Frame:
        """The picture of a data URL as a frame whose screen pixels are the picture's own.

        Args:
            url: "data:image/png;base64,..." (or jpeg, webp).
            param: where it stood in the request, for the error.

        Raises:
            ApiError: 400, or 413 when there are too many pictures or pixels in the request.
        """
        self._count += 1
        if self._count > self._limits.count:
            raise ApiError(413, f"more than {self._limits.count} pictures in one request", param)
        key = sha256(url.encode()).digest()
        frame = self._cache.get(key)
        if frame is None:
            frame = self._decode(_payload(url, param), param)
            self._cache.put(key, frame)
        else:
            self._check_size(frame.width, frame.height, param)
        self._pixels += frame.width * frame.height
        return frame

    def _decode(self, data: bytes, param: str) -> Frame:
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                self._check_size(image.width, image.height, param)
                return Frame.of_image(image, time=time.time())
        except UnidentifiedImageError:
            raise ApiError(
                400, f"expected a PNG, JPEG or WebP picture, came {len(data)} other bytes", param
            ) from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise self._too_big("its header claims more", param) from None
        except (OSError, SyntaxError, ValueError):
            raise ApiError(
                400, "the picture is damaged or cut off: send the whole file", param
            ) from None

    def _check_size(self, width: int, height: int, param: str) -> None:
        """Judge the header's claim before a single pixel is decoded."""
        limits = self._limits
        size = f"{width}x{height}"
        if min(width, height) < limits.least:
            message = f"the picture is {size}, expected at least {limits.least} pixels a side"
            raise ApiError(400, message, param)
        if max(width, height) > limits.most or width * height > limits.pixels:
            raise self._too_big(f"actually {size}", param)
        if self._pixels + width * height > limits.total:
            message = f"the pictures of one request have more than {limits.total} pixels in all"
            raise ApiError(413, message, param)

    def _too_big(self, actual: str, param: str) -> ApiError:
        limits = self._limits
        message = (
            f"the picture is too big: expected at most {limits.most} pixels a side and "
            f"{limits.pixels} in all, {actual}; scale it down"
        )
        return ApiError(400, message, param)


def _payload(url: str, param: str) -> bytes:
    head = HEAD.match(url)
    if head is None:
        raise ApiError(
            400,
            "expected a data URL 'data:image/png;base64,...' (png, jpeg or webp); this server "
            "fetches nothing from other addresses",
            param,
        )
    try:
        data = b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(400, "the picture is not valid base64", param) from None
    if not data:
        raise ApiError(400, "the picture has 0 bytes", param)
    return data
