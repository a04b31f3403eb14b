"""Canaries."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1/canaries", tags=["canaries"])
