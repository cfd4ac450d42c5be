import ArgumentParser

/// The exit codes that `kumiai --help` documents.
enum ExitStatus {
    static let failed = ExitCode(1)
    static let tampered = ExitCode(3)
    static let unreachable = ExitCode(4)
    static let refused = ExitCode(5)
    static let configuration = ExitCode(6)
    /// The reader of standard output closed the pipe: 128 + SIGPIPE, which a shell reports for other programs.
    static let brokenPipe = ExitCode(141)

    /// The word for an exit code in an error's JSON.
    static func name(of code: ExitCode) -> String {
        switch code {
        case tampered: "tampered"
        case unreachable: "unreachable"
        case refused: "refused"
        case configuration: "configuration"
        case .validationFailure: "usage"
        default: "failed"
        }
    }
}
