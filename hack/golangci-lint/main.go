// Command golangci-lint is golangci-lint with kube-api-linter linked in: what `golangci-lint custom` makes, from
// modules alone and pinned by this module's go.sum.
package main

import (
	"fmt"
	"os"
	"runtime"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"
	_ "sigs.k8s.io/kube-api-linter" // registers the linter "kubeapilinter"
)

// version is golangci-lint's, set by the linker.
var version = "unknown"

func main() {
	info := commands.BuildInfo{Version: version, GoVersion: runtime.Version(), Commit: "module", Date: "n/a"}
	if err := commands.Execute(info); err != nil {
		fmt.Fprintln(os.Stderr, "golangci-lint:", err)
		os.Exit(exitcodes.Failure)
	}
}
