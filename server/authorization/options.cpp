#include "server/authorization/options.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "server/authorization/url.hpp"

#include <algorithm>
#include <functional>
#include <set>

namespace interlock::server {
namespace {

namespace limits = base::limits;
/// Takes a problem and the key it is about: "issuers[0].jwks".
using Report = std::function<void(const std::string& key, const std::string& problem)>;

constexpr std::size_t role_bytes_max = 63; // PostgreSQL's identifiers

std::string list(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::string quoted(const std::string& text) {
    return "`" + base::cut_middle(base::sanitize(text), 60) + "`";
}

/// https, or http to this machine; "" when it is.
std::string url_problem(const std::string& text, const std::string& what) {
    const auto url = parse_url(text);
    if (!url) {
        return url.error().what + "; write " + what + " as https://host/path";
    }
    if (url->scheme != "https" && !url->is_local()) {
        return what + " is plain http, which anybody on the way can change; use https (http works "
                      "for loopback only)";
    }
    return "";
}

std::string algorithm_problem(const std::string& name) {
    if (contains(signature_algorithms(), name)) {
        return "";
    }
    if (name.starts_with("HS") || base::lower_ascii(name) == "none") {
        return quoted(name) +
               " proves nothing to a server that must not be able to make tokens; "
               "use one of " +
               list(signature_algorithms());
    }
    return quoted(name) + " is not an algorithm of signatures; use one or more of " +
           list(signature_algorithms());
}

void examine_issuer(const Issuer& issuer, const std::string& at, const Report& report) {
    if (const auto problem = url_problem(issuer.issuer, "the issuer"); !problem.empty()) {
        report(at + "issuer", problem);
    }
    if (issuer.jwks.empty()) {
        report(at + "jwks", "name the URL or the file of the issuer's keys");
    } else if (is_key_url(issuer.jwks)) {
        if (const auto problem = url_problem(issuer.jwks, "the keys' URL"); !problem.empty()) {
            report(at + "jwks", problem);
        }
    } else if (issuer.jwks.find("://") != std::string::npos) {
        report(at + "jwks", "only https URLs (http for loopback) and paths of files are known");
    }
    if (issuer.algorithms.empty()) {
        report(at + "algorithms", "name what this issuer signs with, for example [RS256]");
    }
    for (const std::string& name : issuer.algorithms) {
        if (const auto problem = algorithm_problem(name); !problem.empty()) {
            report(at + "algorithms", problem);
        }
    }
    const std::string& prefix = issuer.subject_prefix;
    // Neither may a prefix and the subject behind it spell such a user together.
    const bool may_become_os =
        prefix.starts_with("os:") || (!prefix.empty() && std::string("os:").starts_with(prefix));
    if (may_become_os || issuer.subject_prefix.size() > 64 ||
        base::sanitize(issuer.subject_prefix) != issuer.subject_prefix) {
        report(
            at + "subject_prefix",
            "use a short word such as `corp:`; `os:` is taken by users "
            "of the operating system"
        );
    }
}

/// No subject of one issuer may be spelt like a subject of another.
void examine_prefixes(const std::vector<Issuer>& issuers, const Report& report) {
    for (std::size_t i = 0; i < issuers.size(); ++i) {
        const std::string at = "issuers[" + std::to_string(i) + "].";
        for (std::size_t other = 0; other < issuers.size(); ++other) {
            if (other < i && issuers[other].issuer == issuers[i].issuer) {
                report(at + "issuer", quoted(issuers[i].issuer) + " is configured twice");
            }
            if (other != i &&
                issuers[other].subject_prefix.starts_with(issuers[i].subject_prefix)) {
                report(
                    at + "subject_prefix",
                    "with several issuers each needs one that begins no other, such as `corp:` and "
                    "`partner:`; the same subject of two issuers would be one caller otherwise"
                );
            }
        }
    }
}

void examine_rule(
    const IdentityRule& rule,
    const std::vector<Issuer>& issuers,
    const std::string& at,
    const Report& report
) {
    const bool known = std::any_of(issuers.begin(), issuers.end(), [&](const Issuer& issuer) {
        return issuer.issuer == rule.issuer;
    });
    if (!rule.issuer.empty() && !known) {
        report(at + "issuer", quoted(rule.issuer) + " is none of the issuers above");
    }
    if (rule.issuer.empty() && issuers.size() > 1) {
        report(at + "issuer", "with several issuers a rule names the one whose claims it believes");
    }
    if (rule.claims.empty()) {
        report(at + "claims", "name at least one claim; `sub: \"*\"` stands for every caller");
    }
    for (const auto& [name, value] : rule.claims) {
        if (name.empty() || value.empty()) {
            report(at + "claims", "a claim needs a name and a value; \"*\" stands for any value");
        }
    }
    if (rule.database_role.empty() || rule.database_role.size() > role_bytes_max ||
        base::sanitize(rule.database_role) != rule.database_role) {
        report(at + "database_role", "name the database role these callers read with");
    }
    // SET ROLE "none" is not a role but the login's own, quoted or not.
    if (base::lower_ascii(rule.database_role) == "none") {
        report(at + "database_role", "`none` would be the login's own role; name another");
    }
    for (const std::string& toolset : rule.toolsets) {
        if (!contains(tool_domains(), toolset)) {
            report(
                at + "toolsets",
                quoted(toolset) + " is not a domain of tools; known are " + list(tool_domains())
            );
        }
    }
}

void examine(const AuthorizationOptions& options, const Report& report) {
    if (const auto problem = url_problem(options.resource, "the resource"); !problem.empty()) {
        report("resource", problem);
    }
    if (options.clock_skew.count() < 0 || options.clock_skew > limits::clock_skew_max) {
        report("clock_skew_seconds", "it is at most 300");
    }
    if (options.issuers.empty() || options.issuers.size() > limits::issuers_max) {
        report(
            "issuers",
            "name one to " + std::to_string(limits::issuers_max) +
                " authorization servers whose tokens are taken"
        );
    }
    for (std::size_t i = 0; i < options.issuers.size(); ++i) {
        examine_issuer(options.issuers[i], "issuers[" + std::to_string(i) + "].", report);
    }
    examine_prefixes(options.issuers, report);
    if (options.rules.empty() || options.rules.size() > limits::identity_rules_max) {
        report(
            "rules",
            "give one to " + std::to_string(limits::identity_rules_max) +
                " rules from claims to database roles; without a rule nobody can call"
        );
    }
    for (std::size_t i = 0; i < options.rules.size(); ++i) {
        examine_rule(
            options.rules[i], options.issuers, "rules[" + std::to_string(i) + "].", report
        );
    }
}

Issuer read_issuer(base::Decoder& entry) {
    Issuer issuer;
    issuer.issuer = entry.text("issuer");
    issuer.jwks = entry.text("jwks");
    issuer.algorithms = entry.texts("algorithms");
    issuer.private_network = entry.boolean_or("private_network", false);
    issuer.subject_prefix = entry.text_or("subject_prefix", "");
    return issuer;
}

IdentityRule read_rule(base::Decoder& entry) {
    IdentityRule rule;
    rule.issuer = entry.text_or("issuer", "");
    for (auto& [name, value] : entry.pairs("claims")) {
        rule.claims.emplace(std::move(name), std::move(value));
    }
    rule.database_role = entry.text("database_role");
    rule.toolsets = entry.texts("toolsets");
    entry.refuse_empty("toolsets"); // it would widen what was meant to be narrow
    if (entry.has("toolsets") && rule.toolsets.empty()) {
        entry.fail("toolsets", "name at least one domain; without the key all are shown");
    }
    return rule;
}

} // namespace

const std::vector<std::string>& signature_algorithms() {
    static const std::vector<std::string> names{
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "EdDSA",
        "Ed25519"};
    return names;
}

const std::vector<std::string>& tool_domains() {
    static const std::vector<std::string> names{"orientation", "triage", "postgres", "planning"};
    return names;
}

bool is_key_url(const std::string& jwks) {
    const std::string scheme = base::lower_ascii(jwks.substr(0, jwks.find("://")));
    return jwks.find("://") != std::string::npos && (scheme == "https" || scheme == "http");
}

AuthorizationOptions read_authorization_options(base::Decoder& decoder) {
    AuthorizationOptions options;
    options.resource = decoder.text("resource");
    for (base::Decoder& entry : decoder.mappings("issuers")) {
        options.issuers.push_back(read_issuer(entry));
    }
    for (base::Decoder& entry : decoder.mappings("rules")) {
        options.rules.push_back(read_rule(entry));
    }
    options.clock_skew = std::chrono::seconds{decoder.integer_or(
        "clock_skew_seconds", 0, limits::clock_skew_max.count(), options.clock_skew.count()
    )};
    examine(options, [&](const std::string& key, const std::string& problem) {
        decoder.fail(key, problem);
    });
    return options;
}

base::Status check_authorization_options(const AuthorizationOptions& options) {
    base::Status status = base::done;
    examine(options, [&](const std::string& key, const std::string& problem) {
        if (status) {
            status = base::Error{
                base::Errc::invalid_input,
                "`authorization." + key + "`: " + problem + ".",
                "Correct that key."};
        }
    });
    return status;
}

} // namespace interlock::server
