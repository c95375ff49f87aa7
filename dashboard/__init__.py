"""What is served: report, explorer and API in one ASGI process; owns no numbers of its own."""
