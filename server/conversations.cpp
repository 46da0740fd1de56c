#include "server/conversations.hpp"

#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "server/input_response.hpp"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

constexpr std::chrono::milliseconds tick{100}; // how late a deadline may be noticed

/// 50, not 50.0: both are the same number, but not every reader knows.
Json number(double value) {
    constexpr double exact_max = 9'007'199'254'740'992.0; // 2^53
    const bool whole = std::trunc(value) == value && std::abs(value) <= exact_max;
    return whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
}

std::string mode_of(const Question& question) {
    const auto params = base::parse_json(question.params);
    return params ? base::string_member(params.value(), "mode").value_or("") : "";
}

/// What both eras have in common.
class SharedConversation : public ServedConversation {
public:
    explicit SharedConversation(ConversationParts parts) : parts_(std::move(parts)) {}

    const telemetry::Identity& identity() const override { return parts_.job.access.identity; }
    const Access& access() const override { return parts_.job.access; }
    const Client& client() const override { return parts_.job.client; }
    Era era() const override { return parts_.job.era; }
    std::stop_token stop() const override { return parts_.stop; }
    telemetry::Span& span() override { return parts_.job.span; }
    const std::string& call_id() const override { return parts_.call_id; }
    std::string incident() const override { return parts_.job.incident; }
    std::string remembered() const override { return parts_.job.remembered; }
    bool become_task() override { return parts_.handover.move(); }
    void pause_stream(std::chrono::milliseconds retry) override { parts_.outlet->pause(retry); }

    void progress(double done, std::optional<double> total, std::string_view message) override;
    void log(LogSeverity severity, std::string_view logger, const std::string& data) override;

protected:
    /// Counts questions too: a call cannot ask for ever.
    bool may_ask() { return ++asked_ <= base::limits::questions_per_call_max; }
    ConversationParts& parts() { return parts_; }
    const ConversationParts& parts() const { return parts_; }

private:
    bool too_often(base::Ticks now);
    /// Its client has its answer already (a task), or wants to hear no more of it.
    bool silent() const {
        return !parts_.handover.task_id().empty() || parts_.stop.stop_requested();
    }

    ConversationParts parts_;
    std::optional<double> progress_;
    std::optional<base::Ticks> second_; // in which progress is counted
    int told_ = 0;                      // in it
    std::size_t asked_ = 0;
};

bool SharedConversation::too_often(base::Ticks now) {
    if (!second_ || now - *second_ >= std::chrono::seconds(1)) {
        second_ = now;
        told_ = 0;
    }
    return ++told_ > base::limits::progress_per_second;
}

void SharedConversation::progress(
    double done, std::optional<double> total, std::string_view message
) {
    const std::string& token = parts_.job.progress_token;
    const bool rises = std::isfinite(done) && (!progress_ || done > *progress_);
    // What completes the work is told however fast it went.
    const bool last = total && done >= *total;
    if (token.empty() || !rises || (too_often(parts_.clock.ticks()) && !last) || silent()) {
        return;
    }
    progress_ = done;
    Json params{{"progress", number(done)}};
    if (total && std::isfinite(*total)) {
        params["total"] = number(*total);
    }
    if (!message.empty()) {
        params["message"] = base::sanitize(message);
    }
    std::string text = base::render_json(params);
    text.insert(1, R"("progressToken":)" + token + ",");
    parts_.outlet->push(render_notification("notifications/progress", text));
}

void SharedConversation::log(
    LogSeverity severity, std::string_view logger, const std::string& data
) {
    const auto& level = parts_.job.log_level;
    if (!level || severity < *level || silent()) {
        return;
    }
    std::string params = R"({"level":")" + std::string(name(severity)) + R"(","data":)" + data;
    if (!logger.empty()) {
        params += R"(,"logger":)" + base::render_json(Json(base::sanitize(logger)));
    }
    parts_.outlet->push(render_notification("notifications/message", params + "}"));
}

// --- Legacy --------------------------------------------------------------------------------------

class LegacyConversation final : public SharedConversation {
public:
    LegacyConversation(ConversationParts given, Questions& questions)
        : SharedConversation(std::move(given)), questions_(questions) {}

    Asked ask(const std::string&, const Question& question) override;
    /// There is no next round in which it could be found again.
    void remember(std::string) override {}

private:
    Questions& questions_;
};

Asked LegacyConversation::ask(const std::string&, const Question& question) {
    if (!client().can_answer(question.method, mode_of(question))) {
        return {AskState::unable, {}};
    }
    if (!may_ask()) {
        return {AskState::failed, {}};
    }
    Asked asked =
        questions_.ask(parts().job.session, *parts().outlet, question, parts().stop, parts().clock);
    const auto result = base::parse_json(asked.result);
    if (asked.state == AskState::answered &&
        !(result && answers_question(question.method, result.value()))) {
        return {AskState::failed, {}};
    }
    return asked;
}

// --- Modern --------------------------------------------------------------------------------------

class ModernConversation final : public SharedConversation {
public:
    ModernConversation(ConversationParts given, Tasks& tasks)
        : SharedConversation(std::move(given)), tasks_(tasks) {}

    Asked ask(const std::string& key, const Question& question) override;
    void remember(std::string state) override { state_ = std::move(state); }
    std::string remembered() const override {
        return state_in_task_.empty() ? SharedConversation::remembered() : state_in_task_;
    }
    bool next_round() override;
    KeyedQuestions pending() const override { return pending_; }
    std::string state() const override { return state_; }

private:
    std::optional<std::string> answer_to(const std::string& key, const Question& question) const;

    Tasks& tasks_;
    KeyedQuestions pending_;
    std::string state_;
    // What a task's earlier rounds left.
    KeyedAnswers answers_;
    std::string state_in_task_;
};

std::optional<std::string>
ModernConversation::answer_to(const std::string& key, const Question& question) const {
    if (const auto found = answers_.find(key); found != answers_.end()) {
        return found->second;
    }
    const auto& responses = parts().job.input_responses;
    const Json* response = responses ? base::member(*responses, key) : nullptr;
    if (response == nullptr || !answers_question(question.method, *response)) {
        return std::nullopt; // also when it is no answer: it is asked again
    }
    return base::render_json(*response);
}

Asked ModernConversation::ask(const std::string& key, const Question& question) {
    if (!client().can_answer(question.method, mode_of(question))) {
        return {AskState::unable, {}};
    }
    if (auto answer = answer_to(key, question)) {
        return {AskState::answered, std::move(*answer)};
    }
    const bool asked = std::any_of(pending_.begin(), pending_.end(), [&](const auto& other) {
        return other.first == key;
    });
    if (!asked) {
        if (!may_ask()) {
            return {AskState::failed, {}};
        }
        parts().handover.stay(); // unless it is a task already, and asks as one
        pending_.emplace_back(key, question);
    }
    return {AskState::pending, {}};
}

bool ModernConversation::next_round() {
    const std::string task = parts().handover.task_id();
    if (task.empty() || pending_.empty()) {
        return false;
    }
    auto answers = tasks_.ask(task, pending_, parts().stop);
    if (!answers) {
        return false;
    }
    answers_ = std::move(*answers);
    pending_.clear();
    state_in_task_ = std::exchange(state_, {});
    return true;
}

} // namespace

// --- Questions to legacy clients -----------------------------------------------------------------

struct Questions::State {
    struct Waiting {
        SessionPointer session;
        std::condition_variable_any answered;
        std::optional<Asked> answer;
    };
    std::mutex mutex;
    std::uint64_t last = 0;
    std::map<std::string, std::shared_ptr<Waiting>> waiting; // by id, JSON text
};

Questions::Questions() : state_(std::make_unique<State>()) {}
Questions::~Questions() = default;

Asked Questions::ask(
    const SessionPointer& session,
    Outlet& outlet,
    const Question& question,
    const std::stop_token& stop,
    const base::Clock& clock
) {
    const auto deadline = clock.ticks() + base::limits::client_answer_deadline;
    const auto mine = std::make_shared<State::Waiting>();
    mine->session = session;
    std::string id;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->waiting.size() >= base::limits::questions_max) {
            return {AskState::failed, {}};
        }
        id = R"("interlock-)" + std::to_string(++state_->last) + R"(")";
        state_->waiting.emplace(id, mine);
    }
    const bool sent = outlet.push(
        R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":)" +
        base::render_json(Json(question.method)) + R"(,"params":)" + question.params + "}"
    );
    {
        std::unique_lock lock(state_->mutex);
        const auto answered = [&] { return mine->answer.has_value(); };
        while (sent && !answered() && !stop.stop_requested() && clock.ticks() < deadline) {
            mine->answered.wait_for(lock, stop, tick, answered);
        }
        state_->waiting.erase(id);
    }
    // Nobody else knows of it any more.
    if (mine->answer) {
        return *std::move(mine->answer);
    }
    if (sent) {
        outlet.push(render_notification("notifications/cancelled", R"({"requestId":)" + id + "}"));
    }
    return {AskState::failed, {}};
}

void Questions::answer(const ClientAnswer& answer) {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->waiting.find(answer.id);
    if (found == state_->waiting.end() || found->second->session != answer.session ||
        found->second->answer) {
        return;
    }
    const bool failed = answer.result.empty();
    found->second->answer = Asked{failed ? AskState::failed : AskState::answered, answer.result};
    found->second->answered.notify_all();
}

std::unique_ptr<ServedConversation>
legacy_conversation(ConversationParts parts, Questions& questions) {
    return std::make_unique<LegacyConversation>(std::move(parts), questions);
}

std::unique_ptr<ServedConversation> modern_conversation(ConversationParts parts, Tasks& tasks) {
    return std::make_unique<ModernConversation>(std::move(parts), tasks);
}

} // namespace interlock::server
