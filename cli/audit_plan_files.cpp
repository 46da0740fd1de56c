#include "cli/audit_plan_files.hpp"

#include "approval/state.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using approval::PlanState;
using base::Json;

constexpr const char* about_name = "about.json";
constexpr std::string_view decisions_prefix = "decisions/";
/// What the queue gives as the reason before anybody changed anything, and past a plan's time.
constexpr const char* waiting_reason = "Waiting for approval.";
constexpr const char* blocked_reason = "Policy denied it.";
constexpr const char* expired_reason = "Its time was up.";

/// "decisions/01"
std::string decision_name(std::size_t place) {
    const auto number = std::to_string(place + 1);
    return std::string(decisions_prefix) + (number.size() < 2 ? "0" : "") + number;
}

std::string about_json(const approval::StoredPlan& plan) {
    const bool waits = approval::is_open(plan.state) || plan.state == PlanState::expired;
    return base::render_json_pretty(
               {{"plan_id", plan.id},
                {"state", approval::name(plan.state)},
                {"state_reason", plan.state_reason},
                {"version", plan.version},
                {"expires_at", waits ? plan.expires_at : ""},
                {"requesters", plan.requesters},
                {"requester_client", plan.requester_client},
                {"created_at", plan.created_at},
                {"trace_parent", plan.trace_parent}}
           ) +
           "\n";
}

std::string steps_json(const std::vector<approval::StepRun>& steps) {
    Json list = Json::array();
    for (const auto& step : steps)
        list.push_back(
            {{"index", step.index},
             {"direction", step.forward ? "forward" : "back"},
             {"state", step.state},
             {"fence", step.fence},
             {"at", step.at},
             {"detail", step.detail}}
        );
    return base::render_json_pretty(list) + "\n";
}

class FileComparison {
public:
    FileComparison(const Files& files, const RecordedFacts& recorded)
        : files_(files), recorded_(recorded) {}

    Comparison run() {
        compare_about();
        compare_decisions();
        if (recorded_.steps && file("steps.json") == nullptr)
            problem("there are records of its steps, and steps.json is missing");
        if (file("presentation.json") == nullptr)
            problem("its presentation.json is missing");
        for (const char* name :
             {"plan.json", "presentation.json", about_name, "steps.json", "outcome.json"})
            placed_.insert(name);
        for (const auto& [name, content] : files_)
            if (!placed_.contains(name))
                problem("no record holds the file " + name);
        if (!unknown_.empty())
            found_.not_known.push_back(
                "whether about.json tells its " + unknown_ +
                " as it was is not known, for the payloads that told it were erased"
            );
        return std::move(found_);
    }

private:
    void problem(std::string what) { found_.problems.push_back(std::move(what)); }
    const std::string* file(const std::string& name) const {
        const auto found = files_.find(name);
        return found == files_.end() ? nullptr : &found->second;
    }

    void compare_about() {
        const auto* text = file(about_name);
        if (text == nullptr)
            return problem("its about.json is missing");
        const auto about = base::parse_json(*text);
        if (!about || !about->is_object())
            return problem("its about.json cannot be read");
        about_ = *about;
        const bool by_the_clock = compare_state();
        if (!recorded_.plan_id.empty())
            hold("plan_id", recorded_.plan_id);
        hold("created_at", recorded_.created_at);
        hold("requester_client", recorded_.client);
        hold("trace_parent", recorded_.trace_parent);
        hold("state_reason", by_the_clock ? std::optional<std::string>(expired_reason) : reason());
        hold("expires_at", recorded_.expires_at);
        compare_version();
        compare_requesters();
        for (const auto& [name, value] : about_.items())
            if (!known_.contains(name) && name != "plan_id")
                problem("about.json says something of its " + name + ", and no record does");
    }

    std::optional<std::string> reason() const {
        if (recorded_.state_reason != "")
            return recorded_.state_reason;
        return std::string(recorded_.state == PlanState::blocked ? blocked_reason : waiting_reason);
    }

    /// Its time may have been up with nobody there yet to record it: then true.
    bool compare_state() {
        known_.insert("state");
        const auto told = base::string_member(about_, "state");
        if (!told) {
            problem("about.json does not tell its state");
            return false;
        }
        if (!recorded_.state || *told == approval::name(*recorded_.state))
            return false;
        const bool by_the_clock =
            approval::is_open(*recorded_.state) && *told == approval::name(PlanState::expired);
        if (!by_the_clock)
            problem(
                "about.json says that it is " + *told + ", and its records leave it " +
                approval::name(*recorded_.state) +
                ": the last ones are missing, or the file was changed"
            );
        return by_the_clock;
    }

    void hold(const char* name, const std::optional<std::string>& recorded) {
        known_.insert(name);
        const auto told = base::string_member(about_, name);
        if (!told && recorded_.older_form && !about_.contains(name))
            return;
        if (!told)
            problem(std::string("about.json does not tell its ") + name);
        else if (!recorded)
            unknown_ += (unknown_.empty() ? "" : ", ") + std::string(name);
        else if (*told != *recorded)
            problem(
                std::string("about.json says that its ") + name + " is \"" + *told +
                "\", and its records that it is \"" + *recorded + "\""
            );
    }

    void compare_version() {
        known_.insert("version");
        const auto told = base::integer_member(about_, "version");
        if (!told && recorded_.older_form && !about_.contains("version"))
            return;
        if (!told || (recorded_.version && *told != *recorded_.version))
            problem("about.json does not tell the version that its last record does");
    }

    /// The one who asked first, and all others in any order.
    void compare_requesters() {
        known_.insert("requesters");
        std::vector<std::string> told;
        const auto* list = base::member(about_, "requesters");
        if (list != nullptr && list->is_array())
            for (const auto& entry : *list)
                told.push_back(entry.is_string() ? entry.get<std::string>() : "");
        const auto& recorded = recorded_.requesters;
        const bool same =
            !told.empty() && !recorded.empty() && told.front() == recorded.front() &&
            std::set(told.begin(), told.end()) == std::set(recorded.begin(), recorded.end());
        if (!same)
            problem("about.json does not name those who requested it, as its records do");
    }

    void compare_decisions() {
        for (std::size_t i = 0; i < recorded_.decisions.size(); ++i) {
            const auto name = decision_name(i);
            const auto& recorded = recorded_.decisions[i];
            for (const char* part : {".json", ".json.sig", ".signers"})
                placed_.insert(name + part);
            if (!recorded)
                continue; // erased: nothing tells what must stand there
            expect(name + ".json", recorded->statement);
            expect(name + ".json.sig", recorded->signature);
            if (!recorded->signers.empty() || file(name + ".signers") != nullptr)
                expect(name + ".signers", recorded->signers);
        }
    }

    void expect(const std::string& name, const std::string& content) {
        const auto* found = file(name);
        if (found == nullptr)
            problem("a record holds " + name + ", and the file is missing");
        else if (*found != content)
            problem(name + " is not what its record holds");
    }

    const Files& files_;
    const RecordedFacts& recorded_;
    Comparison found_;
    Json about_;
    std::set<std::string> known_;
    std::set<std::string> placed_;
    std::string unknown_;
};

} // namespace

Files plan_files(
    const approval::StoredPlan& plan,
    const std::vector<approval::StepRun>& steps,
    const std::map<std::string, std::string>& signers
) {
    Files files{
        {"plan.json", plan.bytes},
        {"presentation.json", plan.presentation},
        {about_name, about_json(plan)}};
    if (!plan.outcome.empty())
        files["outcome.json"] = plan.outcome;
    if (!steps.empty())
        files["steps.json"] = steps_json(steps);
    for (std::size_t i = 0; i < plan.decisions.size(); ++i) {
        const auto& decision = plan.decisions[i].signed_decision;
        const auto name = decision_name(i);
        files[name + ".json"] = decision.statement;
        files[name + ".json.sig"] = decision.signature;
        const auto lines = signers.find(decision.statement);
        if (lines != signers.end() && !lines->second.empty())
            files[name + ".signers"] = lines->second;
    }
    return files;
}

Comparison compare_plan_files(const Files& files, const RecordedFacts& recorded) {
    return FileComparison(files, recorded).run();
}

} // namespace interlock::cli
