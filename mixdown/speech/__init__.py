"""From a script to audio: engines behind one port, scripts, chunks, and how they are joined."""
