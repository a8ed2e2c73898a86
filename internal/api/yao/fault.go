package yao

import (
	"net/http"
	"slices"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/problem"
)

// Codes that only this API has. The others are the product's own.
const (
	robotNotFound problem.Code = "robot_not_found"
)

// faultBody is an error as clients of OpenAI's kind read it, with the sentence once
// more where clients of the original look for it.
type faultBody struct {
	Error       chat.Fault `json:"error"`
	Description string     `json:"error_description"`
}

// fault is a problem in this API's shape.
func fault(f wire.Fault) (int, any) {
	status := statusOf(f.Code)
	return status, faultBody{Error: faultOf(f.Error, status, f.DocURL, f.RequestID), Description: f.Detail}
}

func faultOf(e *problem.Error, status int, doc, request string) chat.Fault {
	shown := chat.Fault{Message: e.Detail, Type: wire.Kind(status), Code: string(e.Code), DocURL: doc, RequestID: request}
	fields := make([]string, 0, len(e.Fields))
	for field := range e.Fields {
		fields = append(fields, field)
	}
	if len(fields) > 0 {
		first := slices.Min(fields)
		shown.Param = &first
	}
	return shown
}

// statusOf is the HTTP status of a problem's code in this API.
func statusOf(code problem.Code) int {
	switch code {
	case robotNotFound, modelNotFound:
		return http.StatusNotFound
	case chat.Unsupported:
		return http.StatusBadRequest
	case budgetCode:
		return http.StatusPaymentRequired
	case cancelledCode:
		return http.StatusConflict
	case timeoutCode:
		return http.StatusGatewayTimeout
	}
	return wire.Status(code)
}

// noRobot is the answer for a robot that is not there, or not in this project.
func noRobot(id string) error {
	return problem.New(robotNotFound, "There is no robot %.80q in this project: GET %s lists them.", id, robotsPath)
}
