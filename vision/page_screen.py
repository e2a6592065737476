"""A browser's page as a screen: pictures of its viewport, in CSS pixels from its corner."""

from __future__ import annotations

import base64
import io
import time

from PIL import Image

from vision.capture import CaptureError, Monitor, checked_region
from vision.cdp import CdpError, CdpPage, CdpRefusal
from vision.frame import Frame
from vision.geometry import Box, Size

_BETWEEN_PAGES_SECONDS = 3.0


class PageScreen:
    """The `Eyes` for one page. The page stays the caller's to close; any thread may grab.

    Screen pixels are CSS pixels; a page with a device scale factor gives pictures that have more.
    The size is that of the latest picture.

    Args:
        page: what to look at.

    Raises:
        CaptureError: the page is gone.
    """

    def __init__(self, page: CdpPage) -> None:
        self._page = page
        self._box = Box(0, 0, 1, 1)
        self.grab()

    @property
    def box(self) -> Box:
        """The viewport, its corner at (0, 0)."""
        return self._box

    def monitors(self) -> tuple[Monitor, ...]:
        """The viewport as the one monitor there is."""
        return (Monitor(self._box, "page", primary=True),)

    def grab(self, region: Box | None = None) -> Frame:
        """A picture of the viewport, or of a part of it.

        Raises:
            CaptureError: the page is gone, or the region is not on it.
        """
        try:
            picture = self._picture()
            size = self._page.viewport or self._css_size(picture)
        except CdpError as error:
            raise CaptureError(f"cannot grab the page: {error}") from error
        self._box = Box(0, 0, size.width, size.height)
        frame = Frame.of_image(picture, self._box, time.time())
        return frame if region is None else frame.crop(checked_region(region, self._box))

    def _picture(self) -> Image.Image:
        """The viewport; a page that gives way to another one has none for a moment."""
        deadline = time.monotonic() + _BETWEEN_PAGES_SECONDS
        while True:
            try:
                shot = self._page.call(
                    "Page.captureScreenshot", format="png", optimizeForSpeed=True
                )
                return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
            except CdpRefusal:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def _css_size(self, picture: Image.Image) -> Size:
        """The size of the viewport with its scroll bars, which only the picture includes.

        Page scripts are not asked: they could lie, and have no answer while a page is loading.
        """
        metrics = self._page.call("Page.getLayoutMetrics")
        device, css = metrics["visualViewport"], metrics["cssVisualViewport"]
        scale = device["clientWidth"] / css["clientWidth"]
        return Size(round(picture.width / scale), round(picture.height / scale))
