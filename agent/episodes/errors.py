"""What can go wrong with an episode; every message names the file and, if there is one, the step.

EpisodeError
├── NotAnEpisode       the folder holds no readable manifest
├── NewerEpisode       written by a newer major version of the format
├── BrokenEpisode      a line, an image or the chain between lines is not as it was written
├── EpisodeInUse       another writer holds the folder, or it already holds an episode
└── RecordingFailed    the disk refused a write; everything acknowledged before stays readable
"""

from __future__ import annotations


class EpisodeError(Exception):
    """Base of every error about an episode."""


class NotAnEpisode(EpisodeError):
    """The path is no folder with a readable `manifest.json`."""


class NewerEpisode(EpisodeError):
    """The episode's major version is newer than this reader."""


class BrokenEpisode(EpisodeError):
    """Something that was recorded is missing or was changed."""


class EpisodeInUse(EpisodeError):
    """The folder is locked by another writer or already holds an episode."""


class RecordingFailed(EpisodeError):
    """A step could not be written."""
