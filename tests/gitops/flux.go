package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	source "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// healthChecks are Flux's own evaluators, by the kind they are for.
type healthChecks map[schema.GroupKind]*cel.StatusEvaluator

// readHealthChecks takes every healthCheckExprs of a file's Kustomizations.
func readHealthChecks(path string) (healthChecks, error) {
	documents, err := readDocuments(path)
	if err != nil {
		return nil, err
	}
	checks := healthChecks{}
	for _, document := range documents {
		var kustomization kustomize.Kustomization
		if err := yaml.UnmarshalStrict(document, &kustomization); err != nil {
			return nil, fmt.Errorf("failed to read %s: %w", path, err)
		}
		for _, check := range kustomization.Spec.HealthCheckExprs {
			kind := schema.FromAPIVersionAndKind(check.APIVersion, check.Kind).GroupKind()
			evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, kind, err)
			}
			checks[kind] = evaluator
		}
	}
	return checks, nil
}

func (checks healthChecks) evaluate(ctx context.Context, object *unstructured.Unstructured) (Verdict, error) {
	evaluator, known := checks[object.GroupVersionKind().GroupKind()]
	if !known {
		return Verdict{Status: "None"}, nil
	}
	result, err := evaluator.Evaluate(ctx, object)
	if err != nil {
		return Verdict{}, err
	}
	return Verdict{Status: result.Status.String(), Message: result.Message}, nil
}

// checkManifests reads Flux's own kinds by their types: an unknown field or a wrong type is an error. Other kinds are
// passed over.
func checkManifests(paths []string) error {
	for _, path := range paths {
		documents, err := readDocuments(path)
		if err != nil {
			return err
		}
		for _, document := range documents {
			var head struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
			}
			if err := yaml.Unmarshal(document, &head); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			kind := schema.FromAPIVersionAndKind(head.APIVersion, head.Kind)
			var into any
			switch kind {
			case kustomize.GroupVersion.WithKind("Kustomization"):
				into = &kustomize.Kustomization{}
			case helm.GroupVersion.WithKind("HelmRelease"):
				into = &helm.HelmRelease{}
			case source.GroupVersion.WithKind("OCIRepository"):
				into = &source.OCIRepository{}
			case source.GroupVersion.WithKind("GitRepository"):
				into = &source.GitRepository{}
			default:
				continue
			}
			if err := yaml.UnmarshalStrict(document, into); err != nil {
				return fmt.Errorf("%s: %s: %w", path, kind.Kind, err)
			}
			fmt.Println(kind.Kind)
		}
	}
	return nil
}

func readDocuments(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(bytes.TrimSpace(document)) > 0 {
			documents = append(documents, document)
		}
	}
}
