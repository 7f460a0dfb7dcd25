"""Reports for download: sheets and charts."""
