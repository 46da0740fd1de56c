#include "server/authorization/rules.hpp"

#include "base/digest.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::server {
namespace {

using base::Json;

bool is_value(const Json& value, const std::string& wanted) {
    return value.is_string() ? value.get_ref<const std::string&>() == wanted
                             : value.is_primitive() && base::render_json(value) == wanted;
}

/// The claim of this name; else where the name leads as a path. Names have dots of their own, so
/// every dot may be the one that divides.
const Json* find_claim(const Json& claims, std::string_view name) {
    if (const Json* value = base::member(claims, name)) {
        return value;
    }
    for (auto dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
        const Json* inner = base::member(claims, name.substr(0, dot));
        const Json* value = inner != nullptr ? find_claim(*inner, name.substr(dot + 1)) : nullptr;
        if (value != nullptr) {
            return value;
        }
    }
    return nullptr;
}

bool matches(const Json& claims, const std::string& name, const std::string& wanted) {
    const Json* value = find_claim(claims, name);
    if (value == nullptr || value->is_null()) {
        return false;
    }
    // An address that its issuer did not verify is whatever its owner typed.
    const Json* verified = name == "email" ? base::member(claims, "email_verified") : nullptr;
    if (verified != nullptr && !is_value(*verified, "true")) {
        return false;
    }
    if (!value->is_array()) {
        return wanted == "*" || is_value(*value, wanted);
    }
    return std::any_of(value->begin(), value->end(), [&](const Json& element) {
        return wanted == "*" || is_value(element, wanted);
    });
}

std::string audit_text(const std::string& text) {
    return base::cut_middle(base::sanitize(text), base::limits::claim_chars_max);
}

/// An allow-list: tokens carry whatever an issuer likes, and the audit is kept for years.
std::map<std::string, std::string> kept_claims(const Json& claims) {
    std::map<std::string, std::string> kept;
    for (const char* name : {"sub", "iss", "client_id", "azp", "email"}) {
        if (const auto value = base::string_member(claims, name)) {
            kept.emplace(name, audit_text(*value));
        }
    }
    for (const char* name : {"aud", "groups"}) {
        const Json* value = base::member(claims, name);
        const bool is_short_list = value != nullptr && value->is_array() &&
                                   value->size() <= base::limits::claim_elements_max;
        if (value != nullptr && value->is_string()) {
            kept.emplace(name, audit_text(value->get_ref<const std::string&>()));
        } else if (is_short_list) {
            kept.emplace(name, audit_text(base::render_json(*value)));
        }
    }
    // Enough to find the token again at its issuer, useless to anybody else.
    if (const auto id = base::string_member(claims, "jti")) {
        kept.emplace("jti_sha256", base::hex(base::sha256(*id)));
    }
    return kept;
}

void take_scopes(std::set<std::string>& scopes, const std::string& text) {
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ' ');) {
        for (const std::string& domain : tool_domains()) {
            const std::string narrow = std::string(whole_scope) + ":" + domain;
            if (word == narrow || word == whole_scope) {
                scopes.insert({word, narrow});
            }
        }
    }
}

} // namespace

std::set<std::string> scopes_of(const Json& claims) {
    std::set<std::string> scopes;
    for (const char* name : {"scope", "scp"}) {
        const Json* value = base::member(claims, name);
        if (value != nullptr && value->is_string()) {
            take_scopes(scopes, value->get_ref<const std::string&>());
        }
        if (value != nullptr && value->is_array()) {
            for (const Json& element : *value) {
                take_scopes(scopes, element.is_string() ? element.get<std::string>() : "");
            }
        }
    }
    return scopes;
}

const IdentityRule* matching_rule(
    const std::vector<IdentityRule>& rules, const std::string& issuer, const Json& claims
) {
    const auto found = std::find_if(rules.begin(), rules.end(), [&](const IdentityRule& rule) {
        return (rule.issuer.empty() || rule.issuer == issuer) && !rule.claims.empty() &&
               std::all_of(rule.claims.begin(), rule.claims.end(), [&](const auto& claim) {
                   return matches(claims, claim.first, claim.second);
               });
    });
    return found == rules.end() ? nullptr : &*found;
}

std::optional<Access> access_of(
    const AuthorizationOptions& options,
    const Issuer& issuer,
    const std::string& subject,
    const Json& claims
) {
    const IdentityRule* rule = matching_rule(options.rules, issuer.issuer, claims);
    if (rule == nullptr) {
        return std::nullopt;
    }
    Access access;
    access.identity.subject = issuer.subject_prefix + subject;
    access.identity.issuer = issuer.issuer;
    access.identity.proof = "jwt";
    access.identity.database_role = rule->database_role;
    access.identity.claims = kept_claims(claims);
    access.scopes = scopes_of(claims);
    if (!rule->toolsets.empty()) {
        access.toolsets.emplace(rule->toolsets.begin(), rule->toolsets.end());
    }
    return access;
}

} // namespace interlock::server
