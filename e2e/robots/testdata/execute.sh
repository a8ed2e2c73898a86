curl -X POST https://your-server/v1/agent/robots/my-robot/execute \
-H "Authorization: Bearer $YAO_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"goals": "Analyze our top 5 competitors and write a report",
"context": { "format": "markdown" },
"chat_id": "session-001"
}'
