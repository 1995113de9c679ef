"""The simulator of chat providers: one way to answer, seven wire flavours."""
