"""What Pipecat's turn detector (Smart Turn) makes of audio: its module is private, since its own analyser is meant."""

from pipecat.audio.turn.smart_turn._whisper_features import compute_whisper_log_mel_features

__all__ = ["compute_whisper_log_mel_features"]
