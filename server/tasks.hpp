// Calls that outlive their request (the Tasks extension): kept for a while after their end, owned
// by the caller that made them, found by nobody else. Thread-safe; bounded in number and time.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "server/conversation.hpp"
#include "server/jsonrpc.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace interlock::server {

/// Questions by the keys they are asked under, and answers (JSON text of results) by the same.
using KeyedQuestions = std::vector<std::pair<std::string, Question>>;
/// The value of `inputRequests`, JSON text.
std::string render_questions(const KeyedQuestions& questions);
using KeyedAnswers = std::map<std::string, std::string>;

/// `subject`: issuer and subject of the caller; a foreign task is an unknown one.
class Tasks {
public:
    Tasks(base::Clock& clock, base::Random& random);
    ~Tasks();
    /// Told of every change, in order: owner, task id, the task's members (JSON object text). Set
    /// before any task starts.
    void on_change(
        std::function<void(const std::string&, const std::string&, const std::string&)> listener
    );

    /// A new working task; limit_exceeded past limits::tasks_max (of all) or
    /// limits::tasks_per_subject_max. `stop` is requested by cancel(), on its thread.
    base::Result<std::string> start(const std::string& subject, std::stop_source stop);
    /// Forgets a task that nobody was told of.
    void discard(const std::string& task_id);
    /// Members of a task as tools/call answers with it ("taskId":..., without result), JSON object
    /// text without resultType.
    std::string created(const std::string& task_id) const;

    /// The handler's side: asks the client all of `questions` through the task and waits for
    /// tasks/update, at most limits::client_answer_deadline. nullopt: not all were answered. Keys
    /// that were used before in this task must not come again.
    std::optional<KeyedAnswers>
    ask(const std::string& task_id, const KeyedQuestions& questions, const std::stop_token& stop);
    /// The end of a task that was not cancelled before.
    void complete(const std::string& task_id, std::string result); // JSON text of the call's result
    void fail(const std::string& task_id, const RpcError& error);

    /// The client's side. Results are members (JSON object text, without resultType), or an error:
    /// -32602 for an unknown id.
    std::variant<std::string, RpcError> get(const std::string& subject, const std::string& task_id);
    std::variant<std::string, RpcError> update(
        const std::string& subject, const std::string& task_id, const base::Json& input_responses
    );
    std::variant<std::string, RpcError>
    cancel(const std::string& subject, const std::string& task_id);
    bool owns(const std::string& subject, const std::string& task_id) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace interlock::server
