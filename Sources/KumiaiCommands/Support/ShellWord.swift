/// A word of a command that is printed to be copied.
///
/// Only what the user named goes into such a command: what a peer or a file named stays out, quoted or not.
enum ShellWord {
    /// `text` as one word of a POSIX shell.
    static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || "0123456789/._-+:@,=".unicodeScalars.contains($0)) }
        return isPlain ? text : "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#))'"
    }
}
