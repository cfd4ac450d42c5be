import ArgumentParser

/// `--abandon-release` of the commands that open a campaign, or check whether it could be opened.
struct AbandonmentOption: ParsableArguments {
    @Flag(help: "Go on although the last campaign's release was not cut; afterwards it can never be cut.")
    var abandonRelease = false
}
