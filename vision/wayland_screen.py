"""A Wayland desktop as a screen, through the protocol wlr-screencopy."""

from __future__ import annotations

import mmap
import os
import time
from typing import Any

import numpy as np
from PIL import Image
from pywayland.protocol.wayland import WlShm

from vision.capture import CaptureError, Monitor, checked_region
from vision.frame import Frame, Pixels
from vision.geometry import Box
from vision.wayland import Compositor, Output, WaylandError
from vision.wlr import SCREENCOPY, Speaker

_RGB_BYTES = {
    0: (2, 1, 0),  # ARGB8888
    1: (2, 1, 0),  # XRGB8888
    0x34324241: (0, 1, 2),  # ABGR8888
    0x34324258: (0, 1, 2),  # XBGR8888
}
"""Where red, green and blue are among the four bytes of a pixel, by the format's code."""

_EXACT = Image.Resampling.BOX  # keeps edges where they are when one pixel becomes several


class WaylandScreen:
    """The `Eyes` for all outputs of a compositor, which stays the caller's to close.

    Screen pixels are logical ones; a scaled output gives a picture that has more. Several outputs
    make one picture, as sharp as the sharpest of them; gaps between them are black.

    Args:
        compositor: what to look at.

    Raises:
        CaptureError: the compositor lets nobody look, or an output is rotated.
    """

    def __init__(self, compositor: Compositor) -> None:
        self._compositor = compositor
        try:
            self._manager = compositor.bind(SCREENCOPY, "wlr-screencopy-unstable-v1")
            self._shm = compositor.bind(WlShm, "wayland")
        except WaylandError as error:
            raise CaptureError(str(error)) from error
        for output in compositor.outputs:
            if output.turned:
                raise CaptureError(f"the output {output.name} is rotated; turn it upright")
        self._monitors = tuple(map(self._monitor, compositor.outputs))

    @property
    def box(self) -> Box:
        """The rectangle around all outputs."""
        lefts, tops, rights, bottoms = zip(*(m.box for m in self._monitors), strict=True)
        return Box(min(lefts), min(tops), max(rights), max(bottoms))

    def monitors(self) -> tuple[Monitor, ...]:
        """Every output."""
        return self._monitors

    def grab(self, region: Box | None = None) -> Frame:
        """A picture of all outputs, or of a part.

        Raises:
            CaptureError: the region is not on the screen, or the compositor is gone.
        """
        try:
            with self._compositor.lock:
                pictures = [self._picture(output) for output in self._compositor.outputs]
        except (WaylandError, ValueError) as error:
            raise CaptureError(f"cannot grab the screen: {error}") from error
        boxes = [monitor.box for monitor in self._monitors]
        frame = Frame(_together(pictures, boxes, self.box), self.box, time.time())
        return frame if region is None else frame.crop(checked_region(region, self.box))

    def _monitor(self, output: Output) -> Monitor:
        box = self._compositor.box_of(output)
        return Monitor(box, output.name, output is self._compositor.primary)

    def _picture(self, output: Output) -> Pixels:
        """(height, width, 3) of one output, in its own pixels."""
        shot = _Shot(self._manager.make("capture_output", 0, output.proxy))
        try:
            self._compositor.roundtrip()
            return self._filled(shot)
        finally:
            shot.frame.send("destroy")

    def _filled(self, shot: _Shot) -> Pixels:
        if shot.format not in _RGB_BYTES:
            raise CaptureError(
                f"expected 32-bit RGB from the compositor, actually the format {shot.format:#x}"
            )
        size = shot.stride * shot.height
        descriptor = os.memfd_create("eyehand-screen", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, size)
            pool = self._shm.create_pool(descriptor, size)
            buffer = pool.create_buffer(0, shot.width, shot.height, shot.stride, shot.format)
            shot.frame.send("copy", buffer)
            self._compositor.wait_until(lambda: shot.over)
            buffer.destroy()
            pool.destroy()
            if shot.failed:
                raise CaptureError("the compositor gave no picture; look again")
            with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as memory:
                return shot.rgb(memory)
        finally:
            os.close(descriptor)


class _Shot:
    """One picture on its way: what the compositor says about it."""

    def __init__(self, frame: Speaker) -> None:
        self.frame = frame
        self.format = self.width = self.height = self.stride = 0
        self.upside_down = self.ready = self.failed = False
        frame.dispatcher["buffer"] = self._note_buffer
        frame.dispatcher["flags"] = self._note_flags
        frame.dispatcher["ready"] = self._note_ready
        frame.dispatcher["failed"] = self._note_failed

    @property
    def over(self) -> bool:
        """Whether the buffer is filled, or never will be."""
        return self.ready or self.failed

    def rgb(self, memory: mmap.mmap) -> Pixels:
        """(height, width, 3) from the filled buffer."""
        rows = np.frombuffer(memory, np.uint8).reshape(self.height, self.stride)
        four = rows[:, : 4 * self.width].reshape(self.height, self.width, 4)
        rgb = np.empty((self.height, self.width, 3), np.uint8)
        for channel, byte in enumerate(_RGB_BYTES[self.format]):
            rgb[:, :, channel] = four[:, :, byte]
        del rows, four  # the memory cannot be unmapped as long as somebody looks at it
        return rgb[::-1] if self.upside_down else rgb

    def _note_buffer(self, _: Any, code: int, width: int, height: int, stride: int) -> None:
        self.format, self.width, self.height, self.stride = code, width, height, stride

    def _note_flags(self, _: Any, flags: int) -> None:
        self.upside_down = bool(flags & 1)

    def _note_ready(self, *_: Any) -> None:
        self.ready = True

    def _note_failed(self, _: Any) -> None:
        self.failed = True


def _together(pictures: list[Pixels], boxes: list[Box], around: Box) -> Pixels:
    """One picture of several outputs, each in its place."""
    if len(pictures) == 1:
        return pictures[0]
    sharpest = max(
        picture.shape[1] / box.width for picture, box in zip(pictures, boxes, strict=True)
    )

    def scaled(length: float) -> int:
        return round(length * sharpest)

    whole = np.zeros((scaled(around.height), scaled(around.width), 3), np.uint8)
    for picture, box in zip(pictures, boxes, strict=True):
        left, right = scaled(box.left - around.left), scaled(box.right - around.left)
        top, bottom = scaled(box.top - around.top), scaled(box.bottom - around.top)
        size = (right - left, bottom - top)
        whole[top:bottom, left:right] = np.asarray(Image.fromarray(picture).resize(size, _EXACT))
    return whole
