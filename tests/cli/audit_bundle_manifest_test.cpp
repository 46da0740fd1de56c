#include "base/digest.hpp"
#include "cli/audit_bundle_manifest.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::cli {

namespace {

struct Bundle {
    telemetry::Checkpoint checkpoint{"log.example", 10, base::sha256("root")};
    std::string key = "interlock-executor+1+2";
    std::vector<std::string> checkpoints{"desk"};
    std::vector<PlanReport> plans = [] {
        PlanReport plan;
        plan.plan_id = "plan_a";
        plan.digest = "abc";
        return std::vector<PlanReport>{plan};
    }();
    std::string plan_id = "plan_a";
    base::Json manifest = {
        {"format", "x"},
        {"origin", "log.example"},
        {"size", 10},
        {"root", base::hex(checkpoint.root)},
        {"signed_by", key},
        {"asked_for", {{"plan", "plan_a"}}},
        {"checkpoints", {"desk"}},
        {"plans", {{{"digest", "abc"}, {"plan_id", "plan_a"}}}},
        {"records", 3},
        {"erased", 1}};

    std::vector<std::string> check(bool older = false) const {
        return check_manifest(
            manifest, {checkpoint, key + "\n", key, false, older, 1, checkpoints, plans, plan_id}
        );
    }
};

} // namespace

TEST_CASE("a manifest that says what the bundle holds is believed", "[cli]") {
    Bundle bundle;
    CHECK(bundle.check().empty());
    bundle.manifest.erase("checkpoints");
    CHECK(bundle.check(/*older=*/true).empty());
}

TEST_CASE("each member of a manifest that is not so is told", "[cli]") {
    for (const char* name :
         {"origin", "size", "root", "signed_by", "checkpoints", "plans", "erased"}) {
        INFO(name);
        Bundle bundle;
        bundle.manifest[name] = "other";
        REQUIRE(bundle.check().size() == 1);
        CHECK(bundle.check()[0].find(std::string("manifest's ") + name) != std::string::npos);
    }
    Bundle bundle;
    bundle.manifest["remark"] = "trust me";
    bundle.manifest["asked_for"]["more"] = "x";
    bundle.plan_id = "plan_b";
    CHECK(bundle.check().size() == 3);
}

} // namespace interlock::cli
