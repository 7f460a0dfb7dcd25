"""Reports as people take them away: sheets and charts."""
