"""Admission control: which packets, requests and calls are let in, and how many."""
