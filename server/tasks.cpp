#include "server/tasks.hpp"

#include "base/json_string.hpp"
#include "base/limits.hpp"
#include "server/input_response.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

constexpr std::chrono::milliseconds poll_interval{500}; // what we advise clients
constexpr std::chrono::milliseconds tick{100};          // how late a deadline may be noticed

enum class Status { working, input_required, completed, failed, cancelled };

const char* name(Status status) {
    switch (status) {
    case Status::working:
        return "working";
    case Status::input_required:
        return "input_required";
    case Status::completed:
        return "completed";
    case Status::failed:
        return "failed";
    case Status::cancelled:
        return "cancelled";
    }
    return "failed";
}

struct Task {
    std::string subject;
    std::stop_source stop;
    base::Time created;
    base::Time updated;
    base::Ticks changed; // the same moment as `updated`, on the clock that never steps back
    Status status = Status::working;
    std::map<std::string, Question> open;
    KeyedAnswers answers;
    std::string result; // JSON text
    RpcError error;

    bool over() const { return status != Status::working && status != Status::input_required; }
};

RpcError unknown_task() {
    return {rpc::invalid_params, "There is no such task; it may have been too long ago.", {}};
}

/// Without what it came to.
std::string members(const std::string& id, const Task& task) {
    using std::chrono::milliseconds;
    return base::render_json(Json{
        {"taskId", id},
        {"status", name(task.status)},
        {"createdAt", base::format_time(task.created)},
        {"lastUpdatedAt", base::format_time(task.updated)},
        {"ttlMs", milliseconds(base::limits::task_lifetime).count()},
        {"pollIntervalMs", poll_interval.count()}});
}

std::string detailed(const std::string& id, const Task& task) {
    std::string out = members(id, task);
    out.pop_back();
    if (task.status == Status::input_required) {
        out += R"(,"inputRequests":)" + render_questions({task.open.begin(), task.open.end()});
    } else if (task.status == Status::completed) {
        out += R"(,"result":)" + task.result;
    } else if (task.status == Status::failed) {
        out += R"(,"error":)" + render_error_object(task.error);
    }
    return out + "}";
}

} // namespace

std::string render_questions(const KeyedQuestions& questions) {
    std::string members;
    for (const auto& [key, question] : questions) {
        members += (members.empty() ? "" : ",") + base::json_string(key) + R"(:{"method":)" +
                   base::json_string(question.method) + R"(,"params":)" + question.params + "}";
    }
    return "{" + members + "}";
}

struct Tasks::State {
    State(base::Clock& used_clock, base::Random& used_random)
        : clock(used_clock), random(used_random) {}

    using Listener =
        std::function<void(const std::string&, const std::string&, const std::string&)>;

    Task* find(const std::string& id);
    Task* find(const std::string& subject, const std::string& id);
    bool outlived(const Task& task) const {
        return task.over() && clock.ticks() - task.changed > base::limits::task_lifetime;
    }
    /// Changes a task by `change`, which says whether it did, and tells the listener.
    template <class Change>
    void change(const std::string& id, const Change& change_task);
    /// Forgets the tasks that ended first while all results are more than may be kept.
    void bound_results();

    base::Clock& clock;
    base::Random& random;
    Listener listener;
    std::mutex telling; // taken before `mutex`: news leave in the order of the changes
    mutable std::mutex mutex;
    std::condition_variable_any answered;
    std::map<std::string, Task> tasks;
};

Task* Tasks::State::find(const std::string& id) {
    const auto found = tasks.find(id);
    return found != tasks.end() ? &found->second : nullptr;
}

Task* Tasks::State::find(const std::string& subject, const std::string& id) {
    Task* task = find(id);
    return task != nullptr && task->subject == subject && !outlived(*task) ? task : nullptr;
}

template <class Change>
void Tasks::State::change(const std::string& id, const Change& change_task) {
    const std::lock_guard in_order(telling);
    std::string subject;
    std::string news;
    {
        const std::lock_guard lock(mutex);
        Task* task = find(id);
        if (task == nullptr || task->over() || !change_task(*task)) {
            return;
        }
        task->updated = clock.now();
        task->changed = clock.ticks();
        subject = task->subject;
        news = detailed(id, *task);
        answered.notify_all();
    }
    if (listener) {
        listener(subject, id, news);
    }
}

void Tasks::State::bound_results() {
    const std::lock_guard lock(mutex);
    std::size_t bytes = 0;
    for (const auto& [id, task] : tasks) {
        bytes += task.result.size();
    }
    while (bytes > base::limits::task_results_bytes_max) {
        auto first = tasks.end();
        for (auto at = tasks.begin(); at != tasks.end(); ++at) {
            const bool earlier = first == tasks.end() || at->second.changed < first->second.changed;
            first = !at->second.result.empty() && earlier ? at : first;
        }
        bytes -= first->second.result.size();
        tasks.erase(first);
    }
}

Tasks::Tasks(base::Clock& clock, base::Random& random)
    : state_(std::make_unique<State>(clock, random)) {}
Tasks::~Tasks() = default;

void Tasks::on_change(
    std::function<void(const std::string&, const std::string&, const std::string&)> listener
) {
    const std::lock_guard in_order(state_->telling);
    state_->listener = std::move(listener);
}

// --- The server's side ---------------------------------------------------------------------------

base::Result<std::string> Tasks::start(const std::string& subject, std::stop_source stop) {
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    std::erase_if(state.tasks, [&](const auto& entry) { return state.outlived(entry.second); });
    const auto of_subject =
        std::count_if(state.tasks.begin(), state.tasks.end(), [&](const auto& entry) {
            return entry.second.subject == subject;
        });
    if (state.tasks.size() >= base::limits::tasks_max ||
        static_cast<std::size_t>(of_subject) >= base::limits::tasks_per_subject_max) {
        return base::Error{
            base::Errc::limit_exceeded,
            "There are too many tasks, running or kept.",
            "Wait until some of them are an hour old."};
    }
    std::string id = base::new_id(state.random, "task");
    Task task;
    task.subject = subject;
    task.stop = std::move(stop);
    task.created = task.updated = state.clock.now();
    task.changed = state.clock.ticks();
    state.tasks.emplace(id, std::move(task));
    return id;
}

void Tasks::discard(const std::string& task_id) {
    const std::lock_guard lock(state_->mutex);
    state_->tasks.erase(task_id);
}

std::string Tasks::created(const std::string& task_id) const {
    const std::lock_guard lock(state_->mutex);
    const Task* task = state_->find(task_id);
    return task != nullptr ? members(task_id, *task) : "{}";
}

std::optional<KeyedAnswers> Tasks::ask(
    const std::string& task_id, const KeyedQuestions& questions, const std::stop_token& stop
) {
    State& state = *state_;
    const auto deadline = state.clock.ticks() + base::limits::client_answer_deadline;
    state.change(task_id, [&](Task& task) {
        task.open.insert(questions.begin(), questions.end());
        task.status = Status::input_required;
        return true;
    });
    KeyedAnswers answers;
    {
        std::unique_lock lock(state.mutex);
        const auto settled = [&] {
            const Task* task = state.find(task_id);
            return task == nullptr || task->status != Status::input_required;
        };
        while (!settled() && !stop.stop_requested() && state.clock.ticks() < deadline) {
            state.answered.wait_for(lock, stop, tick, settled);
        }
        if (const Task* task = state.find(task_id)) {
            answers = task->answers;
        }
    }
    // Whatever was not answered in time is asked no more.
    state.change(task_id, [](Task& task) {
        const bool waited = task.status == Status::input_required;
        task.status = Status::working;
        task.open.clear();
        return waited;
    });
    const bool all = std::all_of(questions.begin(), questions.end(), [&](const auto& asked) {
        return answers.contains(asked.first);
    });
    return all ? std::optional(std::move(answers)) : std::nullopt;
}

void Tasks::complete(const std::string& task_id, std::string result) {
    state_->change(task_id, [&](Task& task) {
        task.status = Status::completed;
        task.result = std::move(result);
        return true;
    });
    state_->bound_results();
}

void Tasks::fail(const std::string& task_id, const RpcError& error) {
    state_->change(task_id, [&](Task& task) {
        task.status = Status::failed;
        task.error = error;
        return true;
    });
}

// --- The client's side ---------------------------------------------------------------------------

std::variant<std::string, RpcError>
Tasks::get(const std::string& subject, const std::string& task_id) {
    const std::lock_guard lock(state_->mutex);
    const Task* task = state_->find(subject, task_id);
    if (task == nullptr) {
        return unknown_task();
    }
    return detailed(task_id, *task);
}

std::variant<std::string, RpcError>
Tasks::update(const std::string& subject, const std::string& task_id, const Json& input_responses) {
    if (!owns(subject, task_id)) {
        return unknown_task();
    }
    // Answers to what is not asked, and what is no answer, change nothing: it stays asked.
    state_->change(task_id, [&](Task& task) {
        const std::size_t asked = task.open.size();
        std::erase_if(task.open, [&](const auto& entry) {
            const Json* response = base::member(input_responses, entry.first);
            const bool fits =
                response != nullptr && answers_question(entry.second.method, *response);
            if (fits) {
                task.answers[entry.first] = base::render_json(*response);
            }
            return fits;
        });
        if (task.status == Status::input_required && task.open.empty()) {
            task.status = Status::working;
        }
        return task.open.size() < asked;
    });
    return "{}";
}

std::variant<std::string, RpcError>
Tasks::cancel(const std::string& subject, const std::string& task_id) {
    if (!owns(subject, task_id)) {
        return unknown_task();
    }
    std::optional<std::stop_source> stop;
    state_->change(task_id, [&](Task& task) {
        task.status = Status::cancelled;
        task.open.clear();
        stop.emplace(task.stop);
        return true;
    });
    if (stop) {
        stop->request_stop(); // not under our locks: callbacks run now
    }
    return "{}";
}

bool Tasks::owns(const std::string& subject, const std::string& task_id) const {
    const std::lock_guard lock(state_->mutex);
    return state_->find(subject, task_id) != nullptr;
}

} // namespace interlock::server
