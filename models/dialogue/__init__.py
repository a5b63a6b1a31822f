"""The frozen language model in torch, and the dialogues that teach it to read rows."""

__all__ = ["agreement", "descriptions", "dialogues", "general_answers", "llm", "slot_sampling", "word_rows"]
