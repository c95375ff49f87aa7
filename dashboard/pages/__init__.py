"""The explorer's pages, one module each, in the order of the navigation.

A page's parameters are its state; it draws what `analysis.figures` makes. Start with `ExplorerPage`.
"""

from dashboard.pages.api import ApiPage
from dashboard.pages.data import DataPage
from dashboard.pages.every_face import EveryFacePage
from dashboard.pages.faces import FacesPage
from dashboard.pages.hypothesis import HypothesisPage
from dashboard.pages.metrics import MetricsPage
from dashboard.pages.predict import PredictPage

__all__ = ["PAGES", "ApiPage", "DataPage", "EveryFacePage", "FacesPage", "HypothesisPage", "MetricsPage", "PredictPage"]

PAGES = (EveryFacePage, FacesPage, HypothesisPage, DataPage, MetricsPage, PredictPage, ApiPage)
"""All pages, in the order of the navigation."""
