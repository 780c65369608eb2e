// Shows a room of a Matrix homeserver in Hydrogen, the light program of Element, as somebody who is in it.
import {
  Client, FeatureSet, LoadStatus, Platform, RoomView, RoomViewModel, createNavigation, createRouter, viewClassForTile,
} from "hydrogen-view-sdk";

// show logs in and shows a room: {homeserver, user, password, room}.
window.show = async to => {
  const app = document.getElementById("app");
  const platform = new Platform({
    container: app, config: {}, options: { development: false },
    assetPaths: {
      downloadSandbox: "assets/download-sandbox.html", worker: "assets/main.js", serviceWorker: "sw.js",
      olm: { wasm: "olm/olm.wasm", legacyBundle: "olm/olm_legacy.js", wasmBundle: "olm/olm.js" },
    },
  });
  const navigation = createNavigation();
  platform.setNavigation(navigation);
  await platform.init();
  const urlRouter = createRouter({ navigation, history: platform.history });
  urlRouter.attach();
  const client = new Client(platform);
  const login = await client.queryLogin(to.homeserver).result;
  client.startWithLogin(login.password(to.user, to.password));
  await client.loadStatus.waitFor(s => s === LoadStatus.Ready || s === LoadStatus.Error || s === LoadStatus.LoginFailed).promise;
  if (client.loginFailure || client.loadError) throw new Error(`login: ${client.loginFailure} ${client.loadError}`);
  const features = await FeatureSet.load(platform.settingsStorage);
  const model = new RoomViewModel({
    room: client.session.rooms.get(to.room), ownUserId: client.session.userId, platform, urlRouter, navigation, features,
  });
  await model.load();
  app.append(new RoomView(model, viewClassForTile).mount());
};
