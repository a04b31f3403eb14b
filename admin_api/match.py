"""``/api/v1/match``: which route takes a request, why the others lose, and what would be sent."""

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1", tags=["served"])
