// What GitOps tools make of objects: the verdict of kstatus, of Argo CD's Lua and of Flux's CEL expressions, each by
// the library or the interpreter that the tool itself uses. Objects come as JSON on standard input, one after another
// or in arrays; the answer is one JSON array in the same order.
//
//	gitops verdicts -argo DIRECTORY -flux FILE   kstatus, health.lua and healthCheckExprs of each object
//	gitops actions -argo DIRECTORY               the actions that Argo CD offers for each object
//	gitops act NAME -argo DIRECTORY              the merge patch that an action sends for each object
//	gitops manifests FILE...                     checks Flux's own kinds in files of YAML strictly
//
// DIRECTORY is laid out as Argo CD's resource_customizations: GROUP/KIND/health.lua, GROUP/KIND/actions/...
// FILE holds Flux Kustomizations with healthCheckExprs.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// Verdict is what one tool says of one object.
type Verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("say verdicts, actions, act or manifests")
	}
	verb, rest := arguments[0], arguments[1:]
	if verb == "manifests" {
		return checkManifests(rest)
	}
	action := ""
	if verb == "act" {
		if len(rest) == 0 {
			return errors.New("act needs the name of an action")
		}
		action, rest = rest[0], rest[1:]
	}
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	argo := flags.String("argo", "", "directory laid out as Argo CD's resource_customizations")
	flux := flags.String("flux", "", "file with Flux Kustomizations")
	if err := flags.Parse(rest); err != nil {
		return err
	}
	objects, err := readObjects(os.Stdin)
	if err != nil {
		return err
	}
	answers := make([]any, 0, len(objects))
	switch verb {
	case "verdicts":
		evaluators, err := readHealthChecks(*flux)
		if err != nil {
			return err
		}
		for _, object := range objects {
			answer, err := verdicts(object, *argo, evaluators)
			if err != nil {
				return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
			}
			answers = append(answers, answer)
		}
	case "actions":
		for _, object := range objects {
			offered, err := offeredActions(object, *argo)
			if err != nil {
				return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
			}
			answers = append(answers, offered)
		}
	case "act":
		for _, object := range objects {
			patch, err := actionPatch(object, *argo, action)
			if err != nil {
				return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
			}
			answers = append(answers, json.RawMessage(patch))
		}
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func verdicts(object *unstructured.Unstructured, argo string, evaluators healthChecks) (map[string]Verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return nil, fmt.Errorf("kstatus: %w", err)
	}
	health, err := argoHealth(object, argo)
	if err != nil {
		return nil, fmt.Errorf("health.lua: %w", err)
	}
	flux, err := evaluators.evaluate(context.Background(), object)
	if err != nil {
		return nil, fmt.Errorf("healthCheckExprs: %w", err)
	}
	return map[string]Verdict{
		"kstatus": {Status: computed.Status.String(), Message: computed.Message},
		"argo":    health,
		"flux":    flux,
	}, nil
}

func readObjects(from io.Reader) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := json.NewDecoder(from)
	for {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("failed to read objects: %w", err)
		}
		items := []json.RawMessage{raw}
		if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
			items = nil
			if err := json.Unmarshal(raw, &items); err != nil {
				return nil, fmt.Errorf("failed to read objects: %w", err)
			}
		}
		for _, item := range items {
			// Numbers become int64 as in a client of the API server, not float64.
			object := &unstructured.Unstructured{}
			if err := object.UnmarshalJSON(item); err != nil {
				return nil, fmt.Errorf("failed to read an object: %w", err)
			}
			objects = append(objects, object)
		}
	}
}
