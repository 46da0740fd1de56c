#include "cli/targets.hpp"

#include "base/clock.hpp"
#include "base/db/conninfo.hpp"
#include "base/ids.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/span.hpp"
#include "tools/catalog.hpp"
#include "tools/drift.hpp"
#include "tools/open_evidence.hpp"
#include "tools/run.hpp"
#include "tools/targets.hpp"
#include "tools/tool.hpp"

#include <nlohmann/json.hpp>

namespace interlock::cli {

using base::Errc;
using base::Error;
using base::Json;
using base::Result;

namespace {

Result<std::vector<db::TargetAddress>> addresses_of(const TargetsOptions& options) {
    if (options.targets.empty()) {
        return Error{
            Errc::invalid_arguments,
            "No target was named.",
            "Pass --target NAME=CONNINFO, for example "
            "--target shop='host=db1 dbname=shop user=interlock_diag'."};
    }
    std::vector<db::TargetAddress> addresses;
    for (const std::string& text : options.targets) {
        INTERLOCK_TRY(auto address, db::parse_target_argument(text));
        addresses.push_back(std::move(address));
    }
    return addresses;
}

Json check_json(const tools::LaneCheck& check) {
    return {
        {"name", check.name},
        {"passed", check.passed},
        {"required", check.required},
        {"proof", check.proof},
        {"remedy", check.remedy},
    };
}

void print_check(const tools::LaneCheck& check) {
    const std::string mark = check.passed     ? coloured(Colour::green, "ok    ")
                             : check.required ? coloured(Colour::red, "FAILED")
                                              : coloured(Colour::yellow, "note  ");
    print_line("  " + mark + "  " + check.name + ": " + base::sanitize(check.proof));
    if (!check.passed && !check.remedy.empty()) {
        print_line("          -> " + base::sanitize(check.remedy));
    }
}

Json need_json(const tools::MissingNeed& missing) {
    return {
        {"tool", missing.tool},
        {"need", missing.need},
        {"why", missing.why},
        {"would_tell", missing.would_tell},
        {"remedy", missing.remedy},
    };
}

/// What the tools need and do not find, with the lane's own connection; "" = as the login role.
Result<std::vector<tools::MissingNeed>>
missing_needs(const db::TargetAddress& address, const std::string& role) {
    INTERLOCK_TRY(const auto connection, db::ReaderConnection::open(address));
    return tools::check_drift(*connection, tools::catalog(), {}, role);
}

/// A missing need is a note: the tools say what they cannot examine. False when the role could not
/// look at all.
bool report_needs(
    const db::TargetAddress& address, const std::string& role, bool json, Json& entry
) {
    const std::string as = role.empty() ? "" : "as " + base::sanitize(role) + ": ";
    const auto missing = missing_needs(address, role);
    if (!missing) {
        entry["needs_unknown"] = base::to_text(missing.error());
        if (!json) {
            print_line(
                "  " + coloured(Colour::red, "FAILED") + "  " + as +
                "what the tools need could not be looked at: " + base::to_text(missing.error())
            );
        }
        return false;
    }
    entry["missing_needs"] = Json::array();
    for (const tools::MissingNeed& each : *missing) {
        entry["missing_needs"].push_back(need_json(each));
        if (!json) {
            print_line(
                "  " + coloured(Colour::yellow, "note  ") + "  " + as + each.tool + " needs " +
                base::sanitize(each.need) + ": " + base::sanitize(each.why)
            );
            print_line("          -> " + base::sanitize(each.remedy));
        }
    }
    if (!json && missing->empty()) {
        print_line(
            "  " + coloured(Colour::green, "ok    ") + "  " + as + "tools_find_what_they_need"
        );
    }
    return true;
}

/// The same for the login role and for each that callers are mapped to.
bool report_needs_of_all(
    const db::TargetAddress& address, const TargetsOptions& options, Json& entry
) {
    bool looked = report_needs(address, "", options.json, entry);
    for (const std::string& role : options.roles) {
        Json of_role{{"role", role}};
        looked = report_needs(address, role, options.json, of_role) && looked;
        entry["roles"].push_back(std::move(of_role));
    }
    return looked;
}

/// By the code that a tool's error carries.
Exit exit_of(const std::string& structured) {
    const auto answer = base::parse_json(structured);
    const auto* error = answer ? base::member(*answer, "error") : nullptr;
    const auto code = error != nullptr ? base::string_member(*error, "code") : std::nullopt;
    return code == base::name(Errc::target_unreachable) ? Exit::unreachable : Exit::failed;
}

} // namespace

Exit print_init_sql(const tools::InitOptions& options) {
    print(tools::init_sql(options));
    return Exit::ok;
}

Exit run_doctor(const TargetsOptions& options) {
    const auto addresses = addresses_of(options);
    if (!addresses) {
        return report(addresses.error(), options.json);
    }
    Json document = {{"targets", Json::array()}};
    Exit worst = Exit::ok;
    for (const db::TargetAddress& address : *addresses) {
        const auto checks = tools::check_lane_by_trying(address);
        Json entry = {{"name", address.name}};
        if (!checks) {
            entry["error"] = base::name(checks.error().code);
            entry["what"] = checks.error().what;
            worst = exit_code(checks.error().code);
        } else {
            entry["checks"] = Json::array();
            for (const auto& check : *checks) {
                entry["checks"].push_back(check_json(check));
                if (!check.passed && check.required && worst == Exit::ok) {
                    worst = Exit::check_failed;
                }
            }
        }
        if (!options.json) {
            print_line(coloured(Colour::bold, address.name) + "  " + db::describe(address));
            if (checks) {
                for (const auto& check : *checks) {
                    print_check(check);
                }
            } else {
                print_line(
                    "  " + coloured(Colour::red, "FAILED") + "  " + base::to_text(checks.error())
                );
            }
        }
        if (checks && !report_needs_of_all(address, options, entry) && worst == Exit::ok) {
            worst = Exit::check_failed;
        }
        document["targets"].push_back(entry);
    }
    if (options.json) {
        print_json(document);
    } else {
        print_line(
            worst == Exit::ok ? "The lane is narrow." : "The lane is not in order: see above."
        );
    }
    return worst;
}

Exit run_diagnose(const TargetsOptions& options) {
    const auto addresses = addresses_of(options);
    if (!addresses) {
        return report(addresses.error(), options.json);
    }
    base::SystemClock clock;
    base::SystemRandom random;
    telemetry::Metrics metrics;
    telemetry::Tracer tracer(telemetry::null_span_sink(), clock, random);
    const base::StateDirectory state{options.state_directory};
    auto evidence = tools::open_evidence(state, clock);
    if (!evidence) {
        return report(evidence.error(), options.json);
    }
    tools::Targets targets(addresses.value(), clock, metrics);
    tools::Context context{targets, **evidence, metrics, tracer, clock, random};
    const telemetry::Identity identity{
        "os:" + base::current_user(), "os", "os_user", "interlock " INTERLOCK_VERSION, "", {}};
    const tools::Tool tool = tools::diagnose();
    const tools::CallRequest request{
        identity, std::stop_token{}, nullptr, base::new_id(random, "call")};
    Exit worst = Exit::ok;
    for (const db::TargetAddress& address : *addresses) {
        const tools::Output output =
            tools::run_tool(context, tool, Json{{"target", address.name}}, request);
        const std::string& answer = options.json ? output.structured : output.text;
        if (output.is_error && !options.json) {
            note(answer);
        } else {
            print_line(answer);
        }
        if (output.is_error) {
            worst = exit_of(output.structured);
        }
    }
    return worst;
}

} // namespace interlock::cli
