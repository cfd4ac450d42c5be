import ArgumentParser
import Identity

/// `--profiles`, for commands that issue certificates.
struct ProfilesOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("Your own certificate profiles, instead of certs/kumiai.cnf.", valueName: "file"),
        completion: .file()
    )
    var profiles: String?

    func load() throws -> CertificateProfiles {
        try profiles.map { CertificateProfiles(configuration: try Credentials.read($0)) } ?? .standard
    }
}
