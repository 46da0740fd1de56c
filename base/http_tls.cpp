#include "base/http_tls.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

namespace interlock::base {
namespace {

using Context = std::shared_ptr<ssl_ctx_st>;

/// OpenSSL's reason for the last failure. Its reasons are fixed phrases: no key material.
std::string reason() {
    const unsigned long code = ERR_peek_last_error();
    const char* phrase = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return phrase == nullptr ? "OpenSSL gives no reason" : phrase;
}

Error unusable(const std::string& what, const std::string& file, const std::string& why) {
    return Error{
        Errc::invalid_input,
        "The TLS " + what + " " + file + " cannot be used: " + why + ".",
        "Name a PEM file that this program may read: the certificate chain with the server's own "
        "certificate first, and its private key without a passphrase."};
}

/// Opened here, because OpenSSL does not tell a missing file from a forbidden or a strange one.
Status check_file(const std::string& what, const std::string& file, bool secret) {
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return unusable(what, file, std::strerror(errno));
    }
    struct stat facts {};
    const bool known = ::fstat(descriptor, &facts) == 0;
    ::close(descriptor);
    if (!known || !S_ISREG(facts.st_mode)) {
        return unusable(what, file, "it is not a regular file");
    }
    if (secret && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        log_warning(
            "http.tls_key_exposed",
            {{"file", file}, {"why", "others than its owner may use it; chmod 600 it"}}
        );
    }
    return done;
}

/// A server has nobody to ask, and must not stop at a prompt.
int no_passphrase(char*, int, int, void*) {
    return 0;
}

int choose_protocol(
    SSL* /*session*/,
    const unsigned char** chosen,
    unsigned char* chosen_size,
    const unsigned char* offered,
    unsigned offered_size,
    void* /*ours*/
) {
    static constexpr std::string_view ours{"\x08http/1.1"};
    unsigned char* match = nullptr;
    const int found = SSL_select_next_proto(
        &match,
        chosen_size,
        reinterpret_cast<const unsigned char*>(ours.data()),
        static_cast<unsigned>(ours.size()),
        offered,
        offered_size
    );
    *chosen = match;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool set_rules(SSL_CTX* context) {
    SSL_CTX_set_options(
        context,
        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
            SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
            // HTTP tells where a message ends: a missing close_notify truncates nothing unseen.
            SSL_OP_IGNORE_UNEXPECTED_EOF
    );
    SSL_CTX_set_mode(
        context,
        SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    );
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(context, 0) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

/// Served all the same: who renews it late must not be left without a server at a restart.
void warn_when_out_of_date(SSL_CTX* context, const std::string& file) {
    const X509* certificate = SSL_CTX_get0_certificate(context);
    std::time_t now = std::chrono::system_clock::to_time_t(SystemClock().now());
    if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0) {
        log_warning("http.tls_certificate_expired", {{"file", file}});
    } else if (X509_cmp_time(X509_get0_notBefore(certificate), &now) > 0) {
        log_warning("http.tls_certificate_not_yet_valid", {{"file", file}});
    }
}

Result<Context> load_context(const HttpTls& files) {
    INTERLOCK_CHECK(check_file("certificate", files.certificate_file, false));
    INTERLOCK_CHECK(check_file("key", files.key_file, true));
    ERR_clear_error();
    Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!context || !set_rules(context.get())) {
        return Error{Errc::internal, "OpenSSL cannot be set up: " + reason() + ".", ""};
    }
    if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1) {
        return unusable("certificate", files.certificate_file, reason());
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
        return unusable("key", files.key_file, reason());
    }
    warn_when_out_of_date(context.get(), files.certificate_file);
    return context;
}

} // namespace

// ---- Session ----

TlsSession::~TlsSession() {
    SSL_free(session_);
}

HttpIo TlsSession::judge(int outcome, std::size_t count, bool& waits_for_other, int other) {
    waits_for_other = false;
    if (outcome > 0) {
        return {HttpIo::Is::moved, count};
    }
    const int problem = SSL_get_error(session_, outcome);
    if (problem == SSL_ERROR_WANT_READ || problem == SSL_ERROR_WANT_WRITE) {
        waits_for_other = problem == other;
        return {HttpIo::Is::blocked};
    }
    if (problem == SSL_ERROR_ZERO_RETURN) {
        return {HttpIo::Is::ended};
    }
    broken_ = true; // OpenSSL forbids even a close_notify now
    ERR_clear_error();
    return {HttpIo::Is::failed};
}

HttpIo TlsSession::handshake() {
    ERR_clear_error();
    return judge(SSL_accept(session_), 0, reading_waits_to_write_, SSL_ERROR_WANT_WRITE);
}

HttpIo TlsSession::read_some(char* to, std::size_t size) {
    ERR_clear_error();
    std::size_t count = 0;
    const int outcome = SSL_read_ex(session_, to, size, &count);
    return judge(outcome, count, reading_waits_to_write_, SSL_ERROR_WANT_WRITE);
}

HttpIo TlsSession::write_some(std::string_view bytes) {
    ERR_clear_error();
    std::size_t count = 0;
    const int outcome = SSL_write_ex(session_, bytes.data(), bytes.size(), &count);
    return judge(outcome, count, writing_waits_to_read_, SSL_ERROR_WANT_READ);
}

void TlsSession::end_output() {
    if (!broken_ && SSL_is_init_finished(session_) == 1) {
        ERR_clear_error();
        (void)SSL_shutdown(session_);
        ERR_clear_error();
    }
}

// ---- Certificate ----

Result<std::unique_ptr<TlsCertificate>> TlsCertificate::load(HttpTls files) {
    std::unique_ptr<TlsCertificate> certificate(new TlsCertificate(std::move(files)));
    INTERLOCK_CHECK(certificate->reload());
    return certificate;
}

Status TlsCertificate::reload() {
    INTERLOCK_TRY(Context fresh, load_context(files_));
    const std::lock_guard lock(mutex_);
    current_.swap(fresh); // sessions under way keep the old one alive themselves
    return done;
}

std::unique_ptr<TlsSession> TlsCertificate::session(int descriptor) const {
    SSL* session = nullptr;
    {
        const std::lock_guard lock(mutex_);
        session = SSL_new(current_.get());
    }
    if (session == nullptr || SSL_set_fd(session, descriptor) != 1) {
        SSL_free(session);
        ERR_clear_error();
        return nullptr;
    }
    return std::make_unique<TlsSession>(session);
}

} // namespace interlock::base
