import KumiaiCommands

@main
struct Main {
    static func main() async {
        Kumiai.prepare()
        await Kumiai.main(nil)
    }
}
