"""The web service: expressions over HTTP and WebSocket, and the page that shows them."""
