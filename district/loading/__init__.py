"""A district's folder of files: read it, say exactly what is wrong with it, and load it."""

from district.loading.folder import Folder, read_folder
from district.loading.problems import FolderRefused, Problem
from district.loading.service import LoadResult, check_folder, load_folder

__all__ = ["Folder", "FolderRefused", "LoadResult", "Problem", "check_folder", "load_folder", "read_folder"]
