#include "cli/audit_bundle_manifest.hpp"

#include "base/digest.hpp"
#include "base/text.hpp"

#include <set>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

using base::Json;

class ManifestCheck {
public:
    ManifestCheck(const Json& manifest, const ManifestFacts& facts)
        : manifest_(manifest), facts_(facts) {}

    std::vector<std::string> run() {
        check_manifest();
        return std::move(problems_);
    }

private:
    void problem(std::string sentence) { problems_.push_back(std::move(sentence)); }

    void check_manifest() {
        const auto said = [&](const char* name) {
            return base::string_member(manifest_, name).value_or("");
        };
        const auto counted = [&](const char* name, std::uint64_t value) {
            const auto told = base::integer_member(manifest_, name);
            if (!told || *told < 0 || static_cast<std::uint64_t>(*told) != value)
                wrong(name);
        };
        if (said("origin") != facts_.checkpoint.origin)
            wrong("origin");
        if (said("root") != base::hex(facts_.checkpoint.root))
            wrong("root");
        if (said("signed_by") != base::trim(facts_.own_key) ||
            (facts_.key_was_given && said("signed_by") != facts_.verifier_key))
            wrong("signed_by");
        counted("size", facts_.checkpoint.size);
        counted("erased", facts_.erased);
        check_manifest_plans();
        if (!facts_.older && (!manifest_.contains("checkpoints") ||
                              manifest_["checkpoints"] != Json(facts_.checkpoints)))
            wrong("checkpoints");
        const auto& id = facts_.plan_id;
        if (!id.empty() && !facts_.plans.empty() && facts_.plans.front().plan_id != id)
            problem(
                "The manifest says that the plan " + id +
                " was asked for, and its records are of "
                "another."
            );
        const std::set<std::string> known{
            "format",
            "origin",
            "size",
            "root",
            "signed_by",
            "asked_for",
            "plans",
            "records",
            "erased",
            "checkpoints"};
        for (const auto& [name, value] : manifest_.items())
            if (!known.contains(name))
                problem("The manifest says something of " + name + ", which nothing shows.");
        const std::set<std::string> asked{"plan", "from", "to", "incident"};
        if (const auto* list = base::member(manifest_, "asked_for"); list != nullptr)
            for (const auto& [name, value] : list->items())
                if (!asked.contains(name))
                    problem("The manifest asks for " + name + ", which nothing shows.");
    }

    void wrong(const std::string& member) {
        problem("The manifest's " + member + " is not that of what the bundle holds.");
    }

    void check_manifest_plans() {
        Json expected = Json::array();
        for (const auto& plan : facts_.plans)
            expected.push_back({{"digest", plan.digest}, {"plan_id", plan.plan_id}});
        if (!manifest_.contains("plans") || manifest_["plans"] != expected)
            wrong("plans");
    }

    const Json& manifest_;
    const ManifestFacts& facts_;
    std::vector<std::string> problems_;
};

} // namespace

std::vector<std::string> check_manifest(const Json& manifest, const ManifestFacts& facts) {
    return ManifestCheck(manifest, facts).run();
}

} // namespace interlock::cli
