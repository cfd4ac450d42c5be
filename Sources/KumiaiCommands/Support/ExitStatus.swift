import ArgumentParser

/// The exit codes that `kumiai --help` documents.
enum ExitStatus {
    static let failed = ExitCode(1)
    static let tampered = ExitCode(3)
    static let unreachable = ExitCode(4)
    static let refused = ExitCode(5)
    static let configuration = ExitCode(6)
}
