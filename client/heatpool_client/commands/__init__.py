"""The commands of `heatpool`: arguments in, a report and an exit status out; no decisions here."""
