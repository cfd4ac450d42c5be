import ArgumentParser
import Identity

/// `--profiles`, where certificates are issued.
struct ProfilesOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("Your own certificate profiles, in place of certs/kumiai.cnf.", valueName: "file"),
        completion: .file()
    )
    var profiles: String?

    func load() throws -> CertificateProfiles {
        try profiles.map { CertificateProfiles(configuration: try Credentials.read($0)) } ?? .standard
    }
}
