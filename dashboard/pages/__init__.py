"""The explorer's pages, one module each, in the order of the navigation."""

from dashboard.pages.api import ApiPage
from dashboard.pages.data import DataPage
from dashboard.pages.faces import FacesPage
from dashboard.pages.hypothesis import HypothesisPage
from dashboard.pages.metrics import MetricsPage
from dashboard.pages.predict import PredictPage

PAGES = (DataPage, FacesPage, HypothesisPage, MetricsPage, PredictPage, ApiPage)
