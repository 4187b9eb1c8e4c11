"""Actions: what reactions do outside of Clew. One module a kind; `clew.react.actions.perform` finds it."""
