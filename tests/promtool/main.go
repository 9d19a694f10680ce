// Reads PromQL expressions, one JSON string a line, and writes for each, as one line of JSON, which series it selects
// and by which labels, judged by Prometheus' own parser. An expression that cannot be parsed gives its error.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

type series struct {
	Metric string   `json:"metric"`
	Labels []string `json:"labels"`
}

type verdict struct {
	Error string `json:"error,omitempty"`
	// Every selector, in the order in which it is written.
	Series []series `json:"series"`
	// Labels of every by, without, on, ignoring and group clause.
	Grouping []string `json:"grouping"`
}

func judge(expression string) verdict {
	found := verdict{Series: []series{}, Grouping: []string{}}
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		found.Error = err.Error()
		return found
	}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			each := series{Metric: node.Name, Labels: []string{}}
			for _, matcher := range node.LabelMatchers {
				if matcher.Name != labels.MetricName {
					each.Labels = append(each.Labels, matcher.Name)
				} else if each.Metric == "" {
					each.Metric = matcher.Value
				}
			}
			found.Series = append(found.Series, each)
		case *parser.AggregateExpr:
			found.Grouping = append(found.Grouping, node.Grouping...)
		case *parser.BinaryExpr:
			if node.VectorMatching != nil {
				found.Grouping = append(found.Grouping, node.VectorMatching.MatchingLabels...)
				found.Grouping = append(found.Grouping, node.VectorMatching.Include...)
			}
		}
		return nil
	})
	slices.Sort(found.Grouping)
	found.Grouping = slices.Compact(found.Grouping)
	return found
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var expression string
		if err := json.Unmarshal(lines.Bytes(), &expression); err != nil {
			panic(err)
		}
		if err := answers.Encode(judge(expression)); err != nil {
			panic(err)
		}
	}
}
