import KumiaiCommands

@main
struct Main {
    static func main() async {
        Kumiai.prepare()
        Kumiai.refuseUnknownCommand(Array(CommandLine.arguments.dropFirst()))
        await Kumiai.main(nil)
    }
}
