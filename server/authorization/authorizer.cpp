#include "server/authorization/authorizer.hpp"

#include "base/digest.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "server/authorization/credentials.hpp"
#include "server/authorization/key_source.hpp"
#include "server/authorization/metadata.hpp"
#include "server/authorization/rules.hpp"
#include "server/authorization/token.hpp"
#include "server/authorization/token_cache.hpp"
#include "server/authorization/url.hpp"

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace interlock::server {
namespace {

namespace limits = base::limits;
using base::Errc;
using base::Error;
using base::HttpRequest;
using base::HttpResponse;

using Sources = std::vector<std::shared_ptr<KeySource>>; // in the order of the issuers

/// What is in force between two reloads.
struct Rulebook {
    AuthorizationOptions options;
    std::string resource; // normal form
    Metadata metadata;
    Sources sources;
};

std::shared_ptr<KeySource> source_for(const Issuer& issuer, const Sources& from) {
    for (const auto& source : from) {
        if (source->issuer() == issuer) {
            return source;
        }
    }
    return nullptr;
}

class JwtAuthorizer final : public Authorizer {
public:
    JwtAuthorizer(Rulebook rulebook, base::Clock& clock)
        : clock_(clock), rulebook_(std::move(rulebook)), cache_(limits::tokens_cached_max) {}

    static base::Result<Rulebook>
    prepare(AuthorizationOptions options, base::Clock& clock, const Sources& kept) {
        INTERLOCK_CHECK(check_authorization_options(options));
        INTERLOCK_TRY(Metadata metadata, Metadata::of(options));
        Sources sources;
        for (const Issuer& issuer : options.issuers) {
            sources.push_back(source_for(issuer, kept));
            if (!sources.back()) {
                sources.back() = std::make_shared<KeySource>(issuer, clock);
                sources.back()->start();
            }
        }
        std::string resource = normal_resource(options.resource);
        return Rulebook{
            std::move(options), std::move(resource), std::move(metadata), std::move(sources)};
    }

    std::variant<Access, HttpResponse> admit(const HttpRequest& request) override {
        const std::lock_guard lock(mutex_);
        const Metadata& metadata = rulebook_.metadata;
        const auto credentials = read_credentials(request);
        if (const auto* misuse = std::get_if<CredentialsMisuse>(&credentials)) {
            return metadata.invalid_request(misuse->why);
        }
        const std::string& token = std::get<std::string>(credentials);
        if (token.empty()) {
            return metadata.token_required();
        }
        const base::Digest digest = base::sha256(token);
        if (const CachedToken* known = cached(digest)) {
            return known->access;
        }
        return judge(token, digest);
    }

    /// Verified again: this is asked of refused requests only.
    std::optional<telemetry::Identity> proven(const HttpRequest& request) override {
        const std::lock_guard lock(mutex_);
        const auto credentials = read_credentials(request);
        const auto* text = std::get_if<std::string>(&credentials);
        const auto token = text != nullptr ? read_token(*text) : Error{};
        if (!token) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < rulebook_.options.issuers.size(); ++i) {
            const Issuer& issuer = rulebook_.options.issuers[i];
            const auto keys = rulebook_.sources[i]->keys();
            if (issuer.issuer != token->issuer || !keys.set ||
                !check_signature(*token, issuer.algorithms, *keys.set)) {
                continue;
            }
            const auto verified = check_claims(
                *token->claims, rulebook_.resource, clock_.now(), rulebook_.options.clock_skew
            );
            if (!verified) {
                return std::nullopt;
            }
            if (auto access =
                    access_of(rulebook_.options, issuer, verified->subject, *token->claims)) {
                return std::move(access->identity);
            }
            telemetry::Identity identity;
            identity.subject = issuer.subject_prefix + verified->subject;
            identity.issuer = issuer.issuer;
            identity.proof = "jwt";
            return identity;
        }
        return std::nullopt;
    }

    HttpResponse insufficient_scope(const std::string& scopes, std::string body) override {
        const std::lock_guard lock(mutex_);
        return rulebook_.metadata.insufficient_scope(scopes, std::move(body));
    }

    std::optional<HttpResponse> metadata(const HttpRequest& request) override {
        const std::lock_guard lock(mutex_);
        return rulebook_.metadata.answer(request);
    }

    std::string unready() const override {
        const std::lock_guard lock(mutex_);
        std::string all;
        for (const auto& source : rulebook_.sources) {
            const std::string why = source->unready();
            all += (all.empty() || why.empty() ? "" : "; ") + why;
        }
        return all;
    }

    void reload() override {
        const std::lock_guard lock(mutex_);
        for (const auto& source : rulebook_.sources) {
            source->reload();
        }
    }

    base::Status reload(AuthorizationOptions options) override {
        Sources kept;
        {
            const std::lock_guard lock(mutex_);
            kept = rulebook_.sources;
        }
        INTERLOCK_TRY(Rulebook next, prepare(std::move(options), clock_, kept));
        {
            const std::lock_guard lock(mutex_);
            std::swap(rulebook_, next);
            cache_ = TokenCache(limits::tokens_cached_max);
        }
        reload();
        return base::done; // sources that are not used any more end here, not on the I/O thread
    }

private:
    /// A verified token, unless the keys that verified it were replaced.
    const CachedToken* cached(const base::Digest& digest) {
        const CachedToken* known = cache_.find(digest, clock_.now());
        if (known == nullptr) {
            return nullptr;
        }
        const auto keys = rulebook_.sources[known->issuer]->keys();
        if (!keys.set || keys.generation != known->generation) {
            cache_.drop(digest);
            return nullptr;
        }
        return known;
    }

    std::variant<Access, HttpResponse> judge(const std::string& text, const base::Digest& digest) {
        auto token = read_token(text);
        if (!token) {
            return refuse(token.error(), nullptr);
        }
        for (std::size_t i = 0; i < rulebook_.options.issuers.size(); ++i) {
            if (rulebook_.options.issuers[i].issuer == token->issuer) {
                return judge_of(i, *token, digest);
            }
        }
        return refuse({Errc::invalid_signature, "its issuer is none of ours", ""}, nullptr);
    }

    std::variant<Access, HttpResponse>
    judge_of(std::size_t place, const Token& token, const base::Digest& digest) {
        const Issuer& issuer = rulebook_.options.issuers[place];
        KeySource& source = *rulebook_.sources[place];
        const auto keys = source.keys();
        if (!keys.set) {
            source.look_early();
            log_refusal("the issuer's keys are not there", issuer.issuer);
            return rulebook_.metadata.keys_missing();
        }
        if (const auto proof = check_signature(token, issuer.algorithms, *keys.set); !proof) {
            if (proof.error().code == Errc::not_found) {
                source.look_early();
            }
            return refuse(proof.error(), &issuer);
        }
        const auto verified = check_claims(
            *token.claims, rulebook_.resource, clock_.now(), rulebook_.options.clock_skew
        );
        if (!verified) {
            return refuse(verified.error(), &issuer);
        }
        auto access = access_of(rulebook_.options, issuer, verified->subject, *token.claims);
        if (!access) {
            log_refusal("no rule maps its claims", issuer.issuer);
            return rulebook_.metadata.not_mapped();
        }
        if (access->scopes->empty()) {
            log_refusal("it carries no scope of this server", issuer.issuer);
            return rulebook_.metadata.insufficient_scope(whole_scope, "");
        }
        access->expires = verified->expires;
        cache_.put(digest, {*access, verified->expires, place, keys.generation});
        return std::move(*access);
    }

    HttpResponse refuse(const Error& why, const Issuer* issuer) {
        log_refusal(why.what, issuer == nullptr ? "unknown" : issuer->issuer);
        return rulebook_.metadata.invalid_token(why.code == Errc::expired);
    }

    /// Once a second at most: whoever sends forged tokens must not fill the log with them.
    void log_refusal(const std::string& why, const std::string& issuer) {
        const base::Ticks now = clock_.ticks();
        if (logged_at_ && now - *logged_at_ < std::chrono::seconds{1}) {
            ++unlogged_;
            return;
        }
        base::log_warning(
            "token.refused",
            {{"why", why}, {"issuer", issuer}, {"untold_before", std::to_string(unlogged_)}}
        );
        logged_at_ = now;
        unlogged_ = 0;
    }

    base::Clock& clock_;
    mutable std::mutex mutex_; // held for microseconds: keys are fetched elsewhere
    Rulebook rulebook_;
    TokenCache cache_;
    std::optional<base::Ticks> logged_at_;
    unsigned long long unlogged_ = 0;
};

} // namespace

base::Result<std::unique_ptr<Authorizer>>
Authorizer::start(AuthorizationOptions options, base::Clock& clock) {
    INTERLOCK_TRY(Rulebook rulebook, JwtAuthorizer::prepare(std::move(options), clock, {}));
    return std::unique_ptr<Authorizer>(std::make_unique<JwtAuthorizer>(std::move(rulebook), clock));
}

} // namespace interlock::server
