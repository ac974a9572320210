"""Tests of the register of facilities."""
