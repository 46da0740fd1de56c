#include "telemetry/checkpoint.hpp"

#include <charconv>

namespace interlock::telemetry {

namespace {

/// C2SP signature type of plain Ed25519.
constexpr char ed25519_type = '\x01';
constexpr std::size_t key_id_bytes = 4;
constexpr std::size_t signature_bytes = 64;
constexpr std::string_view signature_mark = "\xe2\x80\x94 "; // em dash, space

std::string key_id(const std::string& name, std::string_view public_key32) {
    std::string input = name;
    input += '\n';
    input += ed25519_type;
    input.append(public_key32);
    return std::string(base::sha256(input).view().substr(0, key_id_bytes));
}

/// What is signed: the three lines, each with its newline.
std::string note_text(const Checkpoint& checkpoint) {
    return checkpoint.origin + '\n' + std::to_string(checkpoint.size) + '\n' +
           base::base64(checkpoint.root.view()) + '\n';
}

base::Error malformed(const char* why) {
    return {
        base::Errc::invalid_input,
        std::string("This is not a signed checkpoint: ") + why + ".",
        "Use the checkpoint file exactly as it was written."};
}

/// Takes the text up to the next newline off `rest`.
std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    return line;
}

base::Result<Checkpoint> parse_note_text(std::string_view text) {
    Checkpoint checkpoint;
    auto rest = text;
    checkpoint.origin = take_line(rest);
    const auto size = take_line(rest);
    const auto root = take_line(rest);
    const auto [end, error] =
        std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
    if (error != std::errc{} || end != size.data() + size.size())
        return malformed("its second line is not a tree size");
    const auto bytes = base::from_base64(root);
    if (!bytes || bytes->size() != checkpoint.root.bytes.size())
        return malformed("its third line is not a root hash");
    std::copy(bytes->begin(), bytes->end(), checkpoint.root.bytes.begin());
    // One form only: no leading zeros, no extension lines, no empty origin.
    if (checkpoint.origin.empty() || note_text(checkpoint) != text)
        return malformed("it is not in the one form in which checkpoints are written");
    return checkpoint;
}

} // namespace

std::string sign_checkpoint(
    const Checkpoint& checkpoint, const std::string& name, const base::SigningKey& key
) {
    const auto text = note_text(checkpoint);
    const auto signature = key_id(name, key.public_key) + base::sign(key, text);
    return text + '\n' + std::string(signature_mark) + name + ' ' + base::base64(signature) + '\n';
}

base::Result<Checkpoint>
verify_checkpoint(std::string_view note, const std::string& name, std::string_view public_key32) {
    // The text itself has no empty line, so the first one ends it.
    const auto blank = note.find("\n\n");
    if (blank == std::string_view::npos)
        return malformed("no empty line separates the text from the signatures");
    if (note.back() != '\n')
        return malformed("its last line is cut off");
    const auto text = note.substr(0, blank + 1);
    const auto expected_id = key_id(name, public_key32);

    // A note may carry signatures of others (witnesses); ours must be there and must verify.
    for (auto rest = note.substr(blank + 2); !rest.empty();) {
        auto line = take_line(rest);
        if (!line.starts_with(signature_mark))
            return malformed("a signature line does not begin with a dash");
        line.remove_prefix(signature_mark.size());
        const auto space = line.find(' ');
        if (space == std::string_view::npos)
            return malformed("a signature line has no signature");
        const auto signature = base::from_base64(line.substr(space + 1));
        if (!signature || signature->size() <= key_id_bytes)
            return malformed("a signature is not base64");
        const auto id = std::string_view(*signature).substr(0, key_id_bytes);
        if (line.substr(0, space) != name || id != expected_id)
            continue;
        const auto bytes = std::string_view(*signature).substr(key_id_bytes);
        if (bytes.size() != signature_bytes || !base::verify_signature(public_key32, text, bytes))
            return base::Error{
                base::Errc::invalid_signature,
                "The checkpoint's signature does not verify: the text or the signature was edited.",
                "Do not trust this checkpoint; take a copy from the program that signed it."};
        return parse_note_text(text);
    }
    return base::Error{
        base::Errc::invalid_signature,
        "The checkpoint carries no signature of the expected name and key.",
        "Give the verifier key of the program that signed it."};
}

std::string verifier_key(const std::string& name, std::string_view public_key32) {
    std::string key(1, ed25519_type);
    key.append(public_key32);
    return name + '+' + base::hex(key_id(name, public_key32)) + '+' + base::base64(key);
}

base::Result<VerifierKey> parse_verifier_key(std::string_view text) {
    const base::Error malformed_key{
        base::Errc::invalid_input,
        "This is not a verifier key (name+keyid+base64).",
        "Use the .vkey file of the program that signed the checkpoint."};
    const auto first = text.find('+');
    const auto second = first == std::string_view::npos ? first : text.find('+', first + 1);
    if (second == std::string_view::npos)
        return malformed_key;
    const auto bytes = base::from_base64(text.substr(second + 1));
    if (!bytes || bytes->size() != 33 || bytes->front() != ed25519_type)
        return malformed_key;
    VerifierKey key{std::string(text.substr(0, first)), bytes->substr(1)};
    if (key.name.empty() || verifier_key(key.name, key.public_key) != text)
        return malformed_key;
    return key;
}

} // namespace interlock::telemetry
