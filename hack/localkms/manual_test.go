package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestManual compares the tables of flags in the manual with the flags.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/localkms.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	c := &config{}
	c.defineServing(flags)
	c.defineBehaviour(flags)
	rows := map[string]bool{}
	flags.VisitAll(func(flag *pflag.Flag) { rows[manualRow(flag)] = true })

	const begin = "| `--"
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, begin) && !strings.HasPrefix(line, begin+"assume` | dialect") && !rows[line] {
			t.Errorf("docs/localkms.md: no flag is like this: %s", line)
		}
		delete(rows, line)
	}
	for row := range rows {
		t.Errorf("docs/localkms.md lacks this row, or has it twice: %s", row)
	}
}

func manualRow(flag *pflag.Flag) string {
	argument, usage := pflag.UnquoteUsage(flag)
	if argument != "" {
		argument = " " + argument
	}
	value := flag.DefValue
	switch value {
	case "", "[]", "false":
		value = ""
	default:
		value = "`" + value + "`"
	}
	return strings.ReplaceAll("| `--"+flag.Name+argument+"` | "+usage+" | "+value+" |", "|  |", "| |")
}
